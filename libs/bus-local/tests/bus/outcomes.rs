use buildwright_bus_local::LocalOutcomes;
use domain::build::{Attempt, Work};
use futures::{FutureExt, future::join_all};
use ports::{BusError, ExecutorName, OutcomeBus, OutcomeReport, Received};
use std::sync::Arc;
use testkit::bus::{build, soon};

fn started(of: u64, attempt: u32) -> OutcomeReport {
    let executor = ExecutorName("executor-1".into());
    OutcomeReport::Started { build: build(of), work: Work::Plan, attempt: Attempt(attempt), executor }
}

fn attempt(received: &Received) -> (domain::BuildId, u32) {
    let (build, _, attempt) = received.report.about();
    (build, attempt.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_of_one_executor_arrive_in_their_order_and_in_bounded_groups() {
    let bus = Arc::new(LocalOutcomes::new());
    let executors: Vec<_> = (0..8)
        .map(|of| {
            let bus = Arc::clone(&bus);
            tokio::spawn(async move {
                for n in 1..=1000 {
                    bus.report(started(of, n)).await.expect("open");
                }
            })
        })
        .collect();
    let mut next = [1; 8];
    let mut arrived = 0;
    while arrived < 8000 {
        let reports = soon(bus.reports(64)).await.expect("open");
        assert!((1..=64).contains(&reports.len()));
        arrived += reports.len();
        for report in reports {
            let (of, n) = attempt(&report);
            report.receipt.confirm(ports::Answer::Accepted).await;
            let expected = next.iter_mut().zip(0..).find(|(_, n)| build(*n) == of).expect("ours").0;
            assert_eq!(n, *expected);
            *expected += 1;
        }
    }
    join_all(executors).await;
    assert!(bus.reports(1).now_or_never().is_none(), "nothing is left");
}

#[tokio::test]
async fn an_executor_waits_while_the_driver_is_behind() {
    let bus = LocalOutcomes::new();
    for n in 0..4096 {
        soon(bus.report(started(1, n))).await.expect("there is room");
    }
    // Unconstrained: else Tokio lets a task pause that did much, and this would not tell why it waits.
    let mut waiting = Box::pin(tokio::task::unconstrained(bus.report(started(1, 4096))));
    assert!(waiting.as_mut().now_or_never().is_none());
    let taken = bus.reports(10).await.expect("open");
    assert_eq!(taken.len(), 10);
    soon(waiting).await.expect("there is room again");
}

#[tokio::test]
async fn what_was_reported_before_closing_is_still_handed_out() {
    let bus = LocalOutcomes::new();
    bus.report(started(1, 1)).await.expect("open");
    bus.close();
    assert!(matches!(bus.report(started(1, 2)).await, Err(BusError::Closed)));
    for left in bus.reports(10).await.expect("one is left") {
        left.receipt.confirm(ports::Answer::Accepted).await;
    }
    assert!(matches!(bus.reports(10).await.map(drop), Err(BusError::Closed)));
}

#[tokio::test]
async fn closing_ends_all_waiting() {
    let bus = Arc::new(LocalOutcomes::new());
    let driver = tokio::spawn({
        let bus = Arc::clone(&bus);
        async move { bus.reports(10).await.map(drop) }
    });
    tokio::task::yield_now().await;
    bus.close();
    assert!(matches!(soon(driver).await.expect("no panic"), Err(BusError::Closed)));
}
