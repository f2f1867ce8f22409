//! Seeing to it that streams and consumers are there, and what is seen then.

use super::unavailable;
use crate::{NatsBus, artifacts::BucketsMade, lane::Lane, topology};
use names::PoolName;
use ports::BusError;
use std::{
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How long after streams and consumers were last seen to they are not looked at again.
const SEEN_TO: Duration = Duration::from_millis(250);

/// What lay in the stream of orders when the connection came up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// For which time; 0 for none.
    epoch: u64,
    /// The number of the last message.
    last: u64,
}

impl NatsBus {
    /// Makes streams and consumers that are not there. Returns whether all are; cheap if that was just seen.
    /// After the bus is closed nothing is made any more.
    pub(crate) async fn see_to_topology(&self, update: bool) -> bool {
        let mut seen_to = self.seen_to.lock().await;
        if self.closed.is_cancelled() {
            return false;
        }
        let epoch = self.link.borrow().epoch;
        if seen_to.is_some_and(|(at, seen)| seen == epoch && at.elapsed() < SEEN_TO) {
            return true;
        }
        match Box::pin(topology::see_to(&self.jetstream, &self.options, update)).await {
            Ok(made) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.epoch != epoch {
                    *known = Known { epoch, last: made.last_order };
                }
                drop(known);
                let before = self.incarnation.swap(made.tasks, Ordering::AcqRel);
                self.buckets.send_replace(Some(made.buckets));
                if before != 0 && before != made.tasks {
                    tracing::warn!("JetStream lost its data: streams and consumers were made again");
                }
                *seen_to = Some((Instant::now(), epoch));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "streams and consumers cannot be seen to");
                false
            }
        }
    }

    /// Makes what orders of a pool's lane need.
    pub(crate) async fn see_to_lane(&self, pool: &PoolName, lane: &Lane) -> Result<(), BusError> {
        let _one_at_a_time = self.seen_to.lock().await;
        if self.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        Box::pin(topology::see_to_lane(&self.jetstream, &self.options, pool, lane)).await.map_err(unavailable)
    }

    /// Closes the bus for all but its last words. Streams and consumers that are being made are there when this
    /// returns; no more are made.
    pub(crate) async fn make_no_more(&self) {
        self.closed.cancel();
        drop(self.seen_to.lock().await);
    }

    /// After every reconnection: the server may have come back with nothing.
    pub(super) async fn keep_topology(self) {
        let mut link = self.link();
        link.borrow_and_update();
        loop {
            tokio::select! {
                () = self.closed.cancelled() => return,
                changed = link.changed() => if changed.is_err() { return },
            }
            while link.borrow_and_update().up && !self.see_to_topology(false).await {
                tokio::select! {
                    () = self.closed.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        }
    }

    /// Whether the server may not know any more that it gave out an order of our pool: it lay there when the
    /// connection came up.
    pub(crate) fn may_have_been_forgotten(&self, sequence: u64) -> bool {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.epoch != self.link.borrow().epoch || sequence <= known.last
    }

    /// Changes when the buckets of artifacts have been seen to be made anew.
    pub(crate) fn buckets(&self) -> watch::Receiver<Option<BucketsMade>> {
        self.buckets.subscribe()
    }

    pub(crate) fn incarnation(&self) -> i64 {
        self.incarnation.load(Ordering::Acquire)
    }
}
