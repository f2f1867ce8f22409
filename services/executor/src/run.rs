//! The loop: as much work at once as there are slots.

use crate::Worker;
use domain::{
    Failure, FailureClass, Usage,
    build::{Outcome, Work},
};
use ports::{ExecutorName, Lease, OutcomeBus, OutcomeReport, TaskQueue};
use std::{sync::Arc, time::Instant};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An executor.
#[derive(Clone)]
pub struct Executor {
    /// Its name, different at every start: attempts of an earlier process are not its own.
    pub name: ExecutorName,
    /// How much it does at once.
    pub slots: usize,
    /// Where it takes work.
    pub queue: Arc<dyn TaskQueue>,
    /// Where it reports.
    pub outcomes: Arc<dyn OutcomeBus>,
    /// How work is done.
    pub worker: Arc<dyn Worker>,
}

impl Executor {
    /// Works until told to stop; then it stops what it is at, without an outcome, and returns when nothing
    /// of it is left. Attempts that were stopped like that are begun again by whoever comes after.
    pub async fn run(self, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.slots));
        let at_work = TaskTracker::new();
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => match slot { Ok(slot) => slot, Err(_) => break },
            };
            let lease = tokio::select! {
                () = stop.cancelled() => break,
                lease = self.queue.take() => match lease { Ok(lease) => lease, Err(_) => break },
            };
            let executor = self.clone();
            let stop = stop.clone();
            at_work.spawn(async move {
                executor.serve(lease, &stop).await;
                drop(slot);
            });
        }
        at_work.close();
        at_work.wait().await;
    }

    async fn serve(&self, lease: Box<dyn Lease>, stop: &CancellationToken) {
        let order = lease.order();
        let (build, work, attempt) = (order.build, order.work, order.attempt);
        let executor = self.name.clone();
        if work != Work::Merge {
            let started = OutcomeReport::Started { build, work, attempt, executor: executor.clone() };
            if self.outcomes.report(started).await.is_err() {
                return;
            }
        }
        let outcome = self.carry_out(lease.as_ref(), stop).await;
        if stop.is_cancelled() || lease.is_lost() {
            return;
        }
        let finished = OutcomeReport::Finished { build, work, attempt, executor, outcome };
        if self.outcomes.report(finished).await.is_ok() {
            lease.settle().await;
        }
    }

    /// A worker that panics is a failed attempt, not a lost one.
    async fn carry_out(&self, lease: &dyn Lease, stop: &CancellationToken) -> Outcome {
        let begun = Instant::now();
        let token = lease.revoked();
        let (worker, order, ended) = (Arc::clone(&self.worker), lease.order().clone(), token.clone());
        let mut work = tokio::spawn(async move { worker.carry_out(&order, &ended).await });
        let joined = tokio::select! {
            joined = &mut work => joined,
            () = stop.cancelled() => {
                token.cancel();
                work.await
            }
        };
        joined.unwrap_or_else(|error| {
            tracing::error!(%error, work = %lease.order().work, build.id = %lease.order().build, "a worker died");
            Outcome {
                result: Err(Failure::new(FailureClass::Internal, "the executor had a defect, see its log")),
                usage: Usage::default(),
                session_id: None,
                duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            }
        })
    }
}
