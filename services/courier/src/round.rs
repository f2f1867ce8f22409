//! Delivering to one endpoint, from its start to its end.

mod leaving;
mod reading;
mod sending;
mod storing;

use crate::{
    Courier, Pause,
    facts::Facts,
    leaving::Leaving,
    line::{Item, Line, Terms},
    sender::Destination,
    verdict::Attempted,
};
use chrono::{DateTime, Utc};
use domain::{Endpoint, EndpointId};
use endpoints::Loaded;
use ports::{DeliveriesKnown, DeliveryBatch, DeliveryProgress, Position, StoreError, Version};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    task::{JoinError, JoinSet},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use webhooks::EventGlob;

/// What all endpoints share during a term.
pub(crate) struct Shared {
    pub(crate) courier: Courier,
    pub(crate) facts: Facts,
    pub(crate) slots: Arc<Semaphore>,
}

/// How an endpoint is told to end.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// Send nothing more, and wait for what is under way.
    pub(crate) calm: CancellationToken,
    /// At once.
    pub(crate) now: CancellationToken,
}

/// Delivers to an endpoint what comes up to the head, until told to end. A failing store is tried again.
pub(crate) async fn deliver(
    shared: Arc<Shared>,
    loaded: Arc<Loaded>,
    head: watch::Receiver<Position>,
    nudged: Arc<Notify>,
    ending: Ending,
) {
    let id = loaded.id;
    let mut pause = Pause::FIRST;
    while !ending.calm.is_cancelled() && !ending.now.is_cancelled() {
        let begun = async {
            let mut round = Round::begin(&shared, &loaded, head.clone(), &nudged, &ending).await?;
            let result = round.run().await;
            if round.stored_something {
                pause = Pause::FIRST;
            }
            result
        };
        match begun.await {
            Ok(()) => break,
            Err(StoreError::Closed) => break,
            Err(error) => tracing::error!(endpoint = %id, %error, "deliveries stand still"),
        }
        pause.wait(&ending.now).await;
    }
    shared.courier.gauges.behind(id, None);
}

type Sent = (Item, Result<Attempted, StoreError>, Option<OwnedSemaphorePermit>);
type Flushed = (DeliveryBatch, Result<(), StoreError>);

struct Round<'a> {
    shared: &'a Arc<Shared>,
    id: EndpointId,
    endpoint: &'a Endpoint,
    /// The version of the endpoint's stream that this is.
    version: Version,
    /// Whether the log was read up to a newer one: what comes after that is for whoever follows.
    superseded: bool,
    nudged: &'a Notify,
    ending: &'a Ending,
    globs: Vec<EventGlob>,
    to: Arc<Destination>,
    line: Line,
    begun: Instant,
    /// Up to where to read.
    head: watch::Receiver<Position>,
    /// The version up to which the one build was read that the endpoint was made for.
    build_read: Version,
    /// Tasks, as `flush` is: what waits for a connection of the store must go on while this waits for another.
    sending: JoinSet<Sent>,
    flush: Option<AbortOnDropHandle<Flushed>>,
    questions: Vec<domain::BuildId>,
    first_unstored: Option<Instant>,
    stored_cursor: Position,
    stored_something: bool,
    read_again: Instant,
    /// When to look again though nothing happened.
    later: Option<DateTime<Utc>>,
    oldest_unsent: Option<DateTime<Utc>>,
    leaving: Option<Leaving>,
}

impl<'a> Round<'a> {
    async fn begin(
        shared: &'a Arc<Shared>,
        loaded: &'a Loaded,
        head: watch::Receiver<Position>,
        nudged: &'a Notify,
        ending: &'a Ending,
    ) -> Result<Self, StoreError> {
        let courier = &shared.courier;
        let Loaded { id, version, ref endpoint } = *loaded;
        let known = courier.deliveries.load_deliveries(id).await?.unwrap_or_default();
        let progress = DeliveryProgress {
            cursor: known.progress.cursor.max(Position(endpoint.from)),
            // Whoever changes it may have repaired it: what failed before says nothing any more.
            failing_since: known.progress.failing_since.filter(|since| *since >= endpoint.updated_at),
        };
        let known = DeliveriesKnown { progress, ..known };
        let (settings, spec) = (&courier.settings, &endpoint.spec);
        let terms = Terms {
            order: spec.order,
            concurrency: usize::try_from(spec.concurrency).unwrap_or(usize::MAX).max(1),
            rate_per_second: spec.rate_per_second,
            schedule: settings.schedule.clone(),
            longest_pause: settings.longest_pause,
            patience: settings.patience,
            window: settings.window,
        };
        let stored_cursor = known.progress.cursor;
        Ok(Self {
            shared,
            id,
            endpoint,
            version,
            superseded: false,
            nudged,
            ending,
            globs: spec.events.iter().filter_map(|glob| glob.parse().ok()).collect(),
            to: Arc::new(courier.sender.destination(id, version, spec).await?),
            line: Line::new(terms, known, courier.sender.clock.now()),
            begun: Instant::now(),
            head,
            build_read: Version(0),
            sending: JoinSet::new(),
            flush: None,
            questions: Vec::new(),
            first_unstored: None,
            stored_cursor,
            stored_something: false,
            read_again: Instant::now(),
            later: None,
            oldest_unsent: None,
            leaving: Leaving::of(courier, spec).await?,
        })
    }

    fn courier(&self) -> &Courier {
        &self.shared.courier
    }

    fn now(&self) -> DateTime<Utc> {
        self.courier().sender.clock.now()
    }

    async fn run(&mut self) -> Result<(), StoreError> {
        loop {
            let calm = self.ending.calm.is_cancelled();
            if !calm {
                self.read().await?;
                self.ask().await?;
                self.renew().await?;
                self.dispatch();
                self.leave().await?;
            }
            let done = calm && self.sending.is_empty();
            if self.ending.now.is_cancelled() || (done && self.flush.is_none()) {
                return self.farewell().await;
            }
            self.flush_if_due();
            self.wait(calm).await?;
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self, calm: bool) -> Result<(), StoreError> {
        let lag = if self.line.is_behind() { self.oldest_unsent } else { None };
        self.courier().gauges.behind(self.id, lag);
        let caught_up = self.line.scanned() >= *self.head.borrow();
        let until = self.wake_at(calm, caught_up);
        let gathering = Instant::now() < self.read_again;
        let (sending, flush, ending) = (&mut self.sending, &mut self.flush, self.ending);
        let mut ended = Vec::new();
        let mut flushed = None;
        tokio::select! {
            () = ending.now.cancelled() => {}
            () = ending.calm.cancelled(), if !calm => {}
            Some(sent) = sending.join_next() => {
                ended.push(sent);
                while let Some(sent) = sending.try_join_next() {
                    ended.push(sent);
                }
            }
            result = async { match flush.as_mut() { Some(flush) => flush.await, None => std::future::pending().await } } => {
                flushed = Some(result);
            }
            changed = self.head.changed(), if !calm && caught_up && !gathering => {
                if changed.is_err() {
                    return Err(StoreError::Closed);
                }
            }
            () = self.nudged.notified(), if !calm => {
                let now = self.shared.courier.sender.clock.now();
                self.line.nudge(now);
            }
            () = tokio::time::sleep_until(until) => {}
        }
        for sent in ended {
            self.ended(joined(sent)?)?;
        }
        if let Some(flushed) = flushed {
            self.flush = None;
            self.flushed(joined(flushed)?).await?;
        }
        Ok(())
    }

    /// When to look again at the latest.
    fn wake_at(&self, calm: bool, caught_up: bool) -> Instant {
        let (instant, now) = (Instant::now(), self.now());
        let mut until = instant + Duration::from_secs(3_600);
        let mut at = |time: Instant| until = until.min(time);
        if let (Some(since), None) = (self.first_unstored, &self.flush) {
            at(since + self.courier().settings.flush_after);
        }
        if !calm {
            let waits = [self.later, self.line.ask_at()];
            for time in waits.into_iter().flatten() {
                at(instant + (time - now).to_std().unwrap_or_default().max(Duration::from_millis(1)));
            }
            if let Some(leaves_at) = self.leaves_at() {
                at(leaves_at);
            }
            if self.has_room() && (!caught_up || instant < self.read_again) {
                at(self.read_again.max(instant));
            }
        }
        until
    }
}

/// What a task came to. Its panic is ours; nobody ends it but who ends the runtime.
fn joined<T>(ended: Result<T, JoinError>) -> Result<T, StoreError> {
    ended.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => StoreError::Closed,
    })
}
