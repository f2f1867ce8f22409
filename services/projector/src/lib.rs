//! Folds events into read models, in order and exactly once: rows and the position they stand for are stored
//! together, so a crash repeats nothing and loses nothing.

mod endpoints;
mod summary;

use domain::build::BuildEvent;
use ports::{BuildSummary, EndpointList, EventStore, Position, ReadModels, RecordedEvent, StoreError};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Most events folded into one write.
const BATCH: usize = 2_000;

/// The projector.
pub struct Projector {
    store: Arc<dyn EventStore>,
    read_models: Arc<dyn ReadModels>,
    endpoints: Arc<dyn EndpointList>,
    gather: Duration,
}

impl Projector {
    /// A projector from a store into read models.
    #[must_use]
    pub fn new(
        store: Arc<dyn EventStore>,
        read_models: Arc<dyn ReadModels>,
        endpoints: Arc<dyn EndpointList>,
    ) -> Self {
        Self { store, read_models, endpoints, gather: Duration::ZERO }
    }

    /// Waits for so long after hearing of something new, so that what comes meanwhile shares one write. Lists show
    /// things later by that much, and whoever works on the builds meanwhile has the machine for itself.
    #[must_use]
    pub fn gather_for(self, gather: Duration) -> Self {
        Self { gather, ..self }
    }

    /// Throws the read models away: everything is folded again, by this and any other projector.
    ///
    /// # Errors
    /// The store's failure; the read models stay then.
    pub async fn begin_again(&self) -> Result<(), StoreError> {
        tracing::info!("read models are thrown away and folded again from all events");
        self.read_models.reset().await
    }

    /// Folds what comes, until told to stop. A failing store is tried again.
    pub async fn run(self, stop: CancellationToken) {
        let mut head = self.store.head();
        let mut projected = self.read_models.projected();
        let mut pause = Duration::from_millis(50);
        loop {
            head.borrow_and_update();
            match self.catch_up(&stop).await {
                Ok(()) => pause = Duration::from_millis(50),
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "read models fall behind");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(Duration::from_secs(5));
                    head.mark_changed();
                }
            }
            let at = *projected.borrow_and_update();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = head.changed() => if changed.is_err() { return },
                // Who began the read models again may have died since.
                back = projected.wait_for(|now| *now < at) => if back.is_err() { return },
            }
            if tokio::time::timeout(self.gather, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Folds everything that is stored now.
    ///
    /// # Errors
    /// The store's failure; what was folded before stays.
    pub async fn catch_up(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let mut from = *self.read_models.projected().borrow();
        while !stop.is_cancelled() {
            let events = self.store.read_all(from, BATCH).await?;
            let Some(last) = events.last().map(|event| event.position) else { return Ok(()) };
            self.fold(events, last).await?;
            from = last;
        }
        Ok(())
    }

    async fn fold(&self, events: Vec<RecordedEvent>, upto: Position) -> Result<(), StoreError> {
        // Before the position is stored: stored again, these rows change nothing.
        self.fold_endpoints(&events).await?;
        let mut decoded = Vec::with_capacity(events.len());
        for event in events.iter().filter(|event| event.stream.build().is_some()) {
            match event.build_event() {
                Ok(fact) if summary::is_of_interest(&fact) => decoded.push((event, fact)),
                Ok(_) => {}
                // A newer version wrote it. What it means for a list is unknown; the rest is not held up.
                Err(error) => {
                    tracing::warn!(position = %event.position, %error, "event left out of read models");
                }
            }
        }
        let mut ids: Vec<_> = decoded
            .iter()
            .filter(|(_, fact)| !matches!(fact, BuildEvent::BuildSubmitted(_)))
            .filter_map(|(event, _)| event.stream.build())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let stored = if ids.is_empty() { Vec::new() } else { self.read_models.summaries(&ids).await? };
        let mut rows: HashMap<_, BuildSummary> = stored.into_iter().map(|row| (row.id, row)).collect();
        for (event, fact) in decoded {
            summary::fold(&mut rows, event, &fact);
        }
        self.read_models.project(rows.into_values().collect(), upto).await
    }

    async fn fold_endpoints(&self, events: &[RecordedEvent]) -> Result<(), StoreError> {
        let mut decoded = Vec::new();
        for event in events.iter().filter(|event| event.stream.endpoint().is_some()) {
            match event.endpoint_event() {
                Ok(fact) => decoded.push((event, fact)),
                Err(error) => {
                    tracing::warn!(position = %event.position, %error, "event left out of the list of endpoints");
                }
            }
        }
        let mut ids: Vec<_> = decoded.iter().filter_map(|(event, _)| event.stream.endpoint()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let stored = self.endpoints.endpoint_rows(&ids).await?;
        self.endpoints.put_endpoints(&endpoints::fold(stored, &decoded)).await
    }
}
