//! The families that Buildwright's roles tell, named in one place so that dashboards find them in every role.

use crate::Metrics;
use std::collections::BTreeMap;

/// Attempts of a pool that are not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolAttempts {
    /// Scheduled, and not yet let into the queue.
    pub waiting: u64,
    /// In the queue, with no executor yet.
    pub queued: u64,
    /// With an executor.
    pub running: u64,
}

/// The executors of a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolExecutors {
    /// How many there are.
    pub executors: u64,
    /// How much they can do at once, all together.
    pub slots: u64,
}

const POOL: &str = "pool";

impl Metrics {
    /// How far the log and the lists have come: `buildwright_events_head`, `buildwright_events_projected` and
    /// `buildwright_projection_lag`.
    pub fn watch_events(
        &self,
        head: impl Fn() -> u64 + Clone + Send + Sync + 'static,
        projected: impl Fn() -> u64 + Clone + Send + Sync + 'static,
    ) {
        let (newest, shown) = (head.clone(), projected.clone());
        self.gauge("buildwright_events_head", "Position of the newest event", move || number(newest()));
        self.gauge("buildwright_events_projected", "Position up to which lists show events", move || {
            number(shown())
        });
        self.gauge("buildwright_projection_lag", "Events that lists do not show yet", move || {
            number(head().saturating_sub(projected()))
        });
    }

    /// What is to be done, by pool: `buildwright_attempts_waiting`, `…_queued` and `…_running`. A driver that
    /// does not lead has nothing to tell, so that the figures of several drivers add up.
    pub fn watch_attempts(
        &self,
        read: impl Fn() -> BTreeMap<String, PoolAttempts> + Clone + Send + Sync + 'static,
    ) {
        self.by_pool("buildwright_attempts_waiting", "Attempts not yet let into the queue", &read, |pool| {
            pool.waiting
        });
        self.by_pool("buildwright_attempts_queued", "Attempts in the queue", &read, |pool| pool.queued);
        self.by_pool("buildwright_attempts_running", "Attempts that executors are at", &read, |pool| {
            pool.running
        });
    }

    /// Who is there to do it, by pool: `buildwright_executors` and `buildwright_executor_slots`.
    pub fn watch_executors(
        &self,
        read: impl Fn() -> BTreeMap<String, PoolExecutors> + Clone + Send + Sync + 'static,
    ) {
        self.by_pool("buildwright_executors", "Executors", &read, |pool| pool.executors);
        self.by_pool("buildwright_executor_slots", "What the executors can do at once", &read, |pool| {
            pool.slots
        });
    }

    /// `buildwright_driver_leading`: 1 where this driver gives out the work.
    pub fn watch_leading(&self, leading: impl Fn() -> bool + Send + Sync + 'static) {
        self.gauge("buildwright_driver_leading", "Whether this driver gives out the work", move || {
            f64::from(u8::from(leading()))
        });
    }

    /// `buildwright_executor_slots_used`: how much of what it can do this executor is at.
    pub fn watch_slots_used(&self, used: impl Fn() -> u64 + Send + Sync + 'static) {
        self.gauge("buildwright_executor_slots_used", "Attempts that this executor is at", move || {
            number(used())
        });
    }

    fn by_pool<T: 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        read: &(impl Fn() -> BTreeMap<String, T> + Clone + Send + Sync + 'static),
        figure: fn(&T) -> u64,
    ) {
        let read = read.clone();
        self.gauge_by(name, help, POOL, move || {
            read().into_iter().map(move |(pool, of)| (pool, number(figure(&of))))
        });
    }
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn number(count: u64) -> f64 {
    count as f64
}
