//! What comes in: events of the log, and what is to be tried again.

use super::{Round, Shared};
use crate::line::Item;
use domain::Endpoint;
use ports::{Delivery, DeliveryId, DeliveryStatus, Position, RecordedEvent, StoreError, StreamId};
use std::sync::Arc;
use tokio::time::Instant;
use webhooks::EventGlob;

/// Most events that are read at once …
const PAGE: usize = 256;
/// … and how many at least, since an endpoint may want few of them.
const LEAST_PAGE: usize = 32;

impl Round<'_> {
    /// Reads as far as there is room.
    pub(super) async fn read(&mut self) -> Result<(), StoreError> {
        if Instant::now() < self.read_again || !self.has_room() {
            return Ok(());
        }
        let head = *self.head.borrow_and_update();
        if self.line.scanned() >= head {
            return Ok(());
        }
        // What there is no room for is read again.
        let page = self.line.room().clamp(LEAST_PAGE, PAGE);
        let events = match self.endpoint.spec.build {
            None => self.courier().store.read_all(self.line.scanned(), page).await?,
            Some(build) => {
                self.courier().store.read_stream(StreamId::Build(build), self.build_read, page).await?
            }
        };
        if events.len() < page {
            self.read_again = Instant::now() + self.courier().settings.gather;
        }
        match self.endpoint.spec.build {
            None => self.read_log(events).await,
            Some(_) => self.read_build(events, page, head).await,
        }
    }

    async fn read_log(&mut self, events: Vec<RecordedEvent>) -> Result<(), StoreError> {
        for event in events {
            if event.stream.endpoint() == Some(self.id) && event.version > self.version {
                self.superseded = true;
                break;
            }
            self.read_event(event).await?;
            if !self.has_room() {
                break;
            }
        }
        Ok(())
    }

    /// Of the one build that the endpoint was made for, from its beginning. What comes after the head may come after
    /// a change of the endpoint, too.
    async fn read_build(
        &mut self,
        events: Vec<RecordedEvent>,
        page: usize,
        head: Position,
    ) -> Result<(), StoreError> {
        let mut ended = events.len() < page;
        for event in events {
            if event.position > head {
                ended = true;
                break;
            }
            if !self.has_room() {
                return Ok(());
            }
            self.build_read = event.version;
            self.read_event(event).await?;
        }
        if ended {
            self.line.read_up_to(head);
        }
        Ok(())
    }

    async fn read_event(&mut self, event: RecordedEvent) -> Result<(), StoreError> {
        let position = event.position;
        if let Some(leaving) = &mut self.leaving {
            leaving.read(&event);
        }
        if position > self.line.scanned() && wants(self.shared, self.endpoint, &self.globs, &event).await? {
            let item = self.item(event);
            self.line.take_in(item);
        }
        self.line.read_up_to(position);
        Ok(())
    }

    pub(super) fn has_room(&self) -> bool {
        !self.superseded && self.line.room() > 0 && self.line.unstored() < self.most_unstored()
    }

    pub(super) fn most_unstored(&self) -> usize {
        self.courier().settings.flush_results.saturating_mul(4).max(1)
    }

    pub(super) fn item(&self, event: RecordedEvent) -> Item {
        let delivery = Delivery {
            id: DeliveryId { endpoint: self.id, position: event.position },
            build: event.stream.build(),
            event_id: event.stream.event(event.version).to_string().into(),
            event_type: Arc::clone(&event.kind),
            status: DeliveryStatus::Pending,
            attempts: 0,
            tries: 0,
            next_at: None,
            created_at: self.now(),
            ended_at: None,
            last_status: None,
            last_error: None,
        };
        Item { delivery, event: Some(event), kept: false }
    }

    /// Asks the store what is to be tried again, when something is.
    pub(super) async fn ask(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        if self.line.ask_at().is_some_and(|at| at <= now) {
            let asked = self.line.ask_for();
            let due = self.courier().deliveries.next_deliveries(self.id, asked).await?;
            self.line.due(due, asked, now);
        }
        Ok(())
    }
}

/// Whether an event is for an endpoint.
async fn wants(
    shared: &Shared,
    endpoint: &Endpoint,
    globs: &[EventGlob],
    event: &RecordedEvent,
) -> Result<bool, StoreError> {
    let Some(build) = event.stream.build() else { return Ok(false) };
    let spec = &endpoint.spec;
    if event.metadata.tenant != endpoint.tenant
        || spec.build.is_some_and(|only| only != build)
        || !(globs.is_empty() || globs.iter().any(|glob| glob.matches(&event.kind)))
    {
        return Ok(false);
    }
    if spec.projects.is_empty() && spec.labels.is_empty() {
        return Ok(true);
    }
    let facts = shared.facts.of(event).await?;
    Ok(facts.is_some_and(|facts| spec.wants(build, &facts)))
}
