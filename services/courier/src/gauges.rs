//! What a courier tells of itself.

use chrono::{DateTime, Utc};
use domain::EndpointId;
use ports::{AttemptError, DeliveryBacklog};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A look into a courier. Clones look into the same one.
#[derive(Debug, Clone, Default)]
pub struct Gauges(Arc<Mutex<Snapshot>>);

/// What a courier knew at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Endpoints that are delivered to.
    pub endpoints: u64,
    /// Attempts that were answered with success.
    pub delivered: u64,
    /// Attempts that failed, by what failed.
    pub failed: HashMap<AttemptError, u64>,
    /// The oldest event that an endpoint was not sent yet, of each endpoint that is behind.
    pub waiting_since: HashMap<EndpointId, DateTime<Utc>>,
    /// Deliveries that have not come to a good end.
    pub backlog: DeliveryBacklog,
}

impl Snapshot {
    /// How long the event waits that has waited longest to be sent for the first time, in seconds.
    #[must_use]
    pub fn lag_seconds(&self, now: DateTime<Utc>) -> f64 {
        let oldest = self.waiting_since.values().min();
        oldest.map_or(0.0, |since| (now - *since).as_seconds_f64().max(0.0))
    }
}

impl Gauges {
    /// What the courier knows now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.inner().clone()
    }

    fn inner(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn attempted(&self, error: Option<AttemptError>) {
        let mut inner = self.inner();
        match error {
            None => inner.delivered += 1,
            Some(error) => *inner.failed.entry(error).or_default() += 1,
        }
    }

    pub(crate) fn behind(&self, endpoint: EndpointId, since: Option<DateTime<Utc>>) {
        let mut inner = self.inner();
        match since {
            Some(since) => drop(inner.waiting_since.insert(endpoint, since)),
            None => drop(inner.waiting_since.remove(&endpoint)),
        }
    }

    pub(crate) fn endpoints(&self, count: usize) {
        self.inner().endpoints = count as u64;
    }

    pub(crate) fn backlog(&self, backlog: DeliveryBacklog) {
        self.inner().backlog = backlog;
    }

    /// This process does not lead any more.
    pub(crate) fn forget(&self) {
        let mut inner = self.inner();
        (inner.endpoints, inner.backlog) = (0, DeliveryBacklog::default());
        inner.waiting_since.clear();
    }
}
