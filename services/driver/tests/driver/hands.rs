//! An executor whose work costs nothing.

use crate::{builds::success, scene::Process};
use bus_local::{LocalOutcomes, LocalQueue};
use domain::build::{Attempt, Outcome, Work};
use ports::{ExecutorName, Lease, OutcomeBus, OutcomeReport, TaskQueue, WorkOrder};
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

/// What was taken up, in order.
pub(crate) type Taken = Arc<Mutex<Vec<(Work, Attempt)>>>;

/// Slots at work; dropping them is the death of the executor.
pub(crate) struct Hands {
    _slots: JoinSet<()>,
    pub(crate) taken: Taken,
}

impl Process {
    /// An executor that succeeds at everything.
    pub(crate) fn executor(&self, slots: usize) -> Hands {
        let (mut at_work, taken) = (JoinSet::new(), Taken::default());
        for _ in 0..slots {
            at_work.spawn(work(self.queue.clone(), Arc::clone(&self.outcomes), Arc::clone(&taken)));
        }
        Hands { _slots: at_work, taken }
    }

    pub(crate) async fn started(&self, order: &WorkOrder) {
        self.outcomes.report(started(order)).await.expect("an open bus");
    }

    pub(crate) async fn finished(&self, order: &WorkOrder, outcome: Outcome) {
        self.outcomes.report(finished(order, outcome)).await.expect("an open bus");
    }

    pub(crate) async fn lost(&self, order: &WorkOrder) {
        let WorkOrder { build, work, attempt, .. } = *order;
        let lost = OutcomeReport::Lost { build, work, attempt, executor: name() };
        self.outcomes.report(lost).await.expect("an open bus");
    }

    /// Starts, finishes and settles.
    pub(crate) async fn carry_out(&self, lease: Box<dyn Lease>, outcome: Outcome) {
        self.started(lease.order()).await;
        self.finished(lease.order(), outcome).await;
        lease.settle().await;
    }
}

async fn work(queue: LocalQueue, outcomes: Arc<LocalOutcomes>, taken: Taken) {
    while let Ok(lease) = queue.take().await {
        let order = lease.order();
        taken.lock().expect("a list").push((order.work, order.attempt));
        // As the real one: merging is not reported before its end.
        if order.work != Work::Merge {
            outcomes.report(started(order)).await.expect("an open bus");
        }
        // Others may take something up meanwhile.
        tokio::task::yield_now().await;
        outcomes.report(finished(order, success(order.work))).await.expect("an open bus");
        lease.settle().await;
    }
}

fn name() -> ExecutorName {
    ExecutorName("e1".into())
}

fn started(order: &WorkOrder) -> OutcomeReport {
    OutcomeReport::Started { build: order.build, work: order.work, attempt: order.attempt, executor: name() }
}

fn finished(order: &WorkOrder, outcome: Outcome) -> OutcomeReport {
    OutcomeReport::Finished {
        build: order.build,
        work: order.work,
        attempt: order.attempt,
        executor: name(),
        outcome,
    }
}
