//! Seeing to it that streams and consumers are there, and what is seen then.

use super::unavailable;
use crate::{
    NatsBus,
    artifacts::BucketsMade,
    lane::Lane,
    subjects,
    topology::{self, Makes},
};
use names::PoolName;
use ports::BusError;
use std::{
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often streams and consumers are looked at, at most.
const AT_MOST_EVERY: Duration = Duration::from_millis(250);

/// A look at streams and consumers that found or made them all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    began: Instant,
    epoch: u64,
}

/// What lay in the stream of orders when the connection came up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// For which time; 0 for none.
    epoch: u64,
    /// The number of the last message.
    last: u64,
}

impl NatsBus {
    /// Makes streams and consumers that are not there. Returns whether all are, as was seen after this was asked:
    /// who asks has found something wrong, and what was seen before says nothing of it. After the bus is closed
    /// nothing is made any more.
    pub(crate) async fn see_to_topology(&self, update: bool) -> bool {
        let asked = Instant::now();
        let mut seen_to = self.seen_to.write().await;
        let epoch = self.link.borrow().epoch;
        let before = seen_to.filter(|look| look.epoch == epoch);
        if self.closed.is_cancelled() {
            return false;
        }
        if before.is_some_and(|look| look.began >= asked) {
            return true;
        }
        let gone = match before {
            None => None,
            Some(look) => {
                match self.gone(&topology::names(&self.options), look.began + AT_MOST_EVERY).await {
                    Ok(gone) => Some(gone),
                    Err(error) => {
                        tracing::warn!(%error, "it cannot be seen which streams there are");
                        return false;
                    }
                }
            }
        };
        let began = Instant::now();
        let makes = gone.as_deref().map_or(Makes::All { update }, Makes::Only);
        match Box::pin(topology::see_to(&self.jetstream, &self.options, makes)).await {
            Ok(made) => {
                self.note(made, epoch);
                *seen_to = Some(Look { began, epoch });
                true
            }
            Err(error) => {
                tracing::warn!(%error, "streams and consumers cannot be seen to");
                false
            }
        }
    }

    /// Takes note of what was seen in an epoch.
    fn note(&self, made: topology::Made, epoch: u64) {
        let before = self.incarnation.swap(made.tasks, Ordering::AcqRel);
        let is_another = before != 0 && before != made.tasks;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != epoch {
            *known = Known { epoch, last: made.last_order };
        } else if is_another {
            // Nothing lay in it when the connection came up.
            known.last = 0;
        }
        drop(known);
        self.buckets.send_replace(Some(made.buckets));
        if is_another {
            tracing::warn!("JetStream lost its data: streams and consumers were made again");
        }
    }

    /// Which of these streams are gone that were there before, over this connection. Looks from then on.
    async fn gone(&self, names: &[String], from: Instant) -> Result<Vec<String>, BusError> {
        let gone = async {
            tokio::time::sleep_until(from.into()).await;
            Box::pin(topology::gone(&self.jetstream, names, self.options.removal_pause)).await
        };
        self.closed.run_until_cancelled(gone).await.ok_or(BusError::Closed)?.map_err(unavailable)
    }

    /// Makes what orders of a pool's lane need. The pool's stream may have been there before, over
    /// this connection.
    pub(crate) async fn see_to_lane(
        &self,
        pool: &PoolName,
        lane: &Lane,
        there_before: bool,
    ) -> Result<(), BusError> {
        // Beside those of other pools: of each, the queue makes one at a time.
        let _among_others = self.seen_to.read().await;
        let gone = if there_before {
            Some(self.gone(&[subjects::tasks(pool)], Instant::now()).await?)
        } else {
            None
        };
        if self.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        let makes = gone.as_deref().map_or(Makes::All { update: false }, Makes::Only);
        let seeing_to = topology::see_to_lane(&self.jetstream, &self.options, pool, lane, makes);
        Box::pin(seeing_to).await.map_err(unavailable)
    }

    /// Removes a stream that is still as it was found, and makes it again. Of one that is for another pool than
    /// ours only the next offer makes sure.
    pub(super) async fn make_anew(
        &self,
        stream: &str,
        found: topology::Found,
    ) -> Result<(), async_nats::Error> {
        let one_at_a_time = self.seen_to.write().await;
        if self.closed.is_cancelled() || topology::found(&self.jetstream, stream).await? != found {
            return Ok(());
        }
        tracing::error!(
            stream,
            "a queue takes nothing any more: it is made anew, what was in it comes again"
        );
        Box::pin(topology::remove(&self.jetstream, stream)).await?;
        drop(one_at_a_time);
        self.see_to_topology(false).await;
        Ok(())
    }

    /// Closes the bus for all but its last words. Streams and consumers that are being made are there when this
    /// returns; no more are made.
    pub(crate) async fn make_no_more(&self) {
        self.closed.cancel();
        drop(self.seen_to.write().await);
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
