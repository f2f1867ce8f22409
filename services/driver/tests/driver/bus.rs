//! The bus of a fleet, played by the local one: orders can vanish from it, and it can be away.

use async_trait::async_trait;
use bus_local::LocalQueue;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use ports::{BusError, Lease, Offered, TaskQueue, WorkOrder};
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};
use tokio::sync::watch;

/// A queue that a story can do things to.
pub(crate) struct TroubledQueue {
    inner: LocalQueue,
    away: AtomicBool,
    /// What was withdrawn, in order.
    revoked: Mutex<Vec<(BuildId, Work, Attempt)>>,
    /// How often it was asked for an order.
    asked: watch::Sender<usize>,
    /// Every offer that was made, in order.
    pub(crate) offers: Mutex<Vec<(BuildId, Work, Attempt)>>,
}

impl TroubledQueue {
    pub(crate) fn new(inner: LocalQueue) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
            revoked: Mutex::default(),
            asked: watch::Sender::new(0),
            offers: Mutex::default(),
        }
    }

    /// The bus loses an order, and nobody learns of it.
    pub(crate) fn vanish(&self, build: BuildId, work: Work, attempt: Attempt) {
        self.inner.revoke(build, work, attempt);
    }

    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, SeqCst);
    }

    pub(crate) fn was_revoked(&self, build: BuildId, work: Work, attempt: Attempt) -> bool {
        self.revoked.lock().expect("a list").contains(&(build, work, attempt))
    }

    /// Waits until it was asked for orders so many times more.
    pub(crate) async fn wait_for_questions(&self, more: usize) {
        let mut asked = self.asked.subscribe();
        let before = *asked.borrow();
        asked.wait_for(|asked| *asked >= before + more).await.expect("the queue lives");
    }

    fn check(&self) -> Result<(), BusError> {
        if self.away.load(SeqCst) {
            return Err(BusError::Unavailable("the cable is cut".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl TaskQueue for TroubledQueue {
    async fn offer(&self, order: WorkOrder) -> Result<Offered, BusError> {
        self.check()?;
        self.offers.lock().expect("a list").push((order.build, order.work, order.attempt));
        self.inner.offer(order).await
    }

    async fn take(&self) -> Result<Box<dyn Lease>, BusError> {
        self.inner.take().await
    }

    async fn has(&self, order: &WorkOrder) -> Result<bool, BusError> {
        self.asked.send_modify(|asked| *asked += 1);
        self.check()?;
        self.inner.has(order).await
    }

    fn forget(&self, build: BuildId) {
        self.inner.forget(build);
    }

    fn revoke(&self, build: BuildId, work: Work, attempt: Attempt) {
        self.revoked.lock().expect("a list").push((build, work, attempt));
        self.inner.revoke(build, work, attempt);
    }
}
