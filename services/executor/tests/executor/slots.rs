//! The loop: leases, slots and reports, with a worker that does what a story says.

use crate::orders::*;
use async_trait::async_trait;
use buildwright_executor::{Executor, Worker};
use bus_local::{LocalOutcomes, LocalQueue};
use domain::{
    Failure, FailureClass, Usage,
    build::{Outcome, Success, TaskResult, Work},
};
use ports::{ExecutorName, OutcomeBus, OutcomeReport, Received, TaskQueue, WorkOrder};
use std::sync::Arc;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Works on each order until it is let go, or stopped; panics at task 13.
struct Stub {
    /// How many are at work now, and how many were at most.
    at_work: watch::Sender<(usize, usize)>,
    let_go: Semaphore,
}

#[async_trait]
impl Worker for Stub {
    async fn carry_out(&self, order: &WorkOrder, stop: &CancellationToken) -> Outcome {
        assert_ne!(order.work.to_string(), "task-13", "a worker with a defect");
        self.at_work.send_modify(|(now, most)| {
            *now += 1;
            *most = (*most).max(*now);
        });
        let result = tokio::select! {
            _ = self.let_go.acquire() => Ok(Success::Task(TaskResult {
                commit: "1".repeat(40).parse().unwrap(),
                bundle: None,
                files_changed: 1,
                summary: String::new(),
            })),
            () = stop.cancelled() => Err(Failure::new(FailureClass::Lost, "stopped")),
        };
        self.at_work.send_modify(|(now, _)| *now -= 1);
        Outcome { result, usage: Usage::default(), session_id: None, duration_ms: 1 }
    }
}

struct Loop {
    worker: Arc<Stub>,
    queue: LocalQueue,
    outcomes: Arc<LocalOutcomes>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Loop {
    fn with_slots(slots: usize) -> Self {
        let worker = Arc::new(Stub { at_work: watch::Sender::new((0, 0)), let_go: Semaphore::new(0) });
        let (queue, outcomes) = (LocalQueue::new(1_000), Arc::new(LocalOutcomes::new()));
        let executor = Executor {
            name: ExecutorName("e1".into()),
            slots,
            queue: Arc::new(queue.clone()),
            outcomes: Arc::clone(&outcomes) as _,
            worker: Arc::clone(&worker) as _,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(executor.run(stop.clone()));
        Self { worker, queue, outcomes, stop, running }
    }

    async fn offer(&self, order: WorkOrder) {
        self.queue.offer(order).await.unwrap();
    }

    async fn wait_until_at_work(&self, count: usize) {
        let mut at_work = self.worker.at_work.subscribe();
        soon(at_work.wait_for(|(now, _)| *now == count)).await.unwrap();
    }

    /// The next report, as whether it tells an end, and of what.
    async fn report(&self) -> (Work, Option<Outcome>) {
        let Received { report, receipt } = soon(self.outcomes.reports(1)).await.unwrap().remove(0);
        receipt.confirm().await;
        match report {
            OutcomeReport::Started { work, executor, .. } => {
                assert_eq!(executor, ExecutorName("e1".into()));
                (work, None)
            }
            OutcomeReport::Finished { work, outcome, .. } => (work, Some(outcome)),
            OutcomeReport::Lost { work, .. } => panic!("{work} is lost"),
        }
    }

    async fn end(self) {
        self.stop.cancel();
        soon(self.running).await.unwrap();
    }
}

fn number(n: u32) -> WorkOrder {
    task(1, n, command("true"))
}

#[tokio::test]
async fn no_more_is_done_at_once_than_there_are_slots() {
    let it = Loop::with_slots(3);
    for n in 0..10 {
        it.offer(number(n)).await;
    }
    it.wait_until_at_work(3).await;
    assert_eq!(it.queue.waiting(), 7);
    it.worker.let_go.add_permits(1_000);
    let mut finished = 0;
    while finished < 10 {
        finished += usize::from(it.report().await.1.is_some());
    }
    assert_eq!(it.worker.at_work.borrow().1, 3);
    assert_eq!(it.queue.waiting(), 0);
    it.end().await;
}

#[tokio::test]
async fn a_start_is_reported_before_an_end_but_of_merging_only_the_end() {
    let it = Loop::with_slots(1);
    it.worker.let_go.add_permits(1_000);
    it.offer(number(1)).await;
    it.offer(merge(1, Vec::new())).await;
    let (work, outcome) = it.report().await;
    assert!(outcome.is_none(), "{work} started");
    assert!(it.report().await.1.is_some());
    let (work, outcome) = it.report().await;
    assert_eq!(work, Work::Merge);
    assert!(outcome.is_some());
    it.end().await;
}

#[tokio::test]
async fn a_worker_that_panics_is_a_failed_attempt_and_its_slot_is_free_again() {
    let it = Loop::with_slots(1);
    it.worker.let_go.add_permits(1_000);
    it.offer(number(13)).await;
    it.offer(number(1)).await;
    assert!(it.report().await.1.is_none());
    let (_, outcome) = it.report().await;
    assert_eq!(failure(outcome.unwrap()).class, FailureClass::Internal);

    let (work, _) = it.report().await;
    assert_eq!(work, number(1).work);
    assert!(it.report().await.1.unwrap().result.is_ok());
    it.end().await;
}

#[tokio::test]
async fn what_is_stopped_is_not_reported_and_its_lease_is_given_back() {
    let it = Loop::with_slots(2);
    it.offer(number(1)).await;
    it.offer(number(2)).await;
    it.wait_until_at_work(2).await;
    it.stop.cancel();
    soon(it.running).await.unwrap();

    assert_eq!(it.worker.at_work.borrow().0, 0, "nothing goes on when it has returned");
    assert_eq!(it.queue.waiting(), 2);
    let reports = it.outcomes.reports(100).await.unwrap();
    assert!(reports.iter().all(|one| matches!(one.report, OutcomeReport::Started { .. })));
    // Whoever comes after is not stopped by what stopped this one.
    let again = soon(it.queue.take()).await.unwrap();
    assert!(!again.revoked().is_cancelled());
}

#[tokio::test]
async fn a_revoked_attempt_is_stopped_and_still_tells_how_it_ended() {
    let it = Loop::with_slots(1);
    it.offer(number(1)).await;
    it.wait_until_at_work(1).await;
    it.queue.forget(build(1));
    assert!(it.report().await.1.is_none());
    let (_, outcome) = it.report().await;
    assert_eq!(failure(outcome.unwrap()).class, FailureClass::Lost);
    assert_eq!(it.queue.waiting(), 0, "nobody wants it back");
    it.end().await;
}

#[tokio::test]
async fn a_bus_that_closes_ends_the_loop() {
    let it = Loop::with_slots(1);
    it.queue.close();
    // The one that already waits is woken by it, too.
    soon(it.running).await.unwrap();
}
