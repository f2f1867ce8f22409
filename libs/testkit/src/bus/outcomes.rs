//! What every bus of reports promises.
#![allow(missing_docs, clippy::missing_panics_doc, reason = "the names are the sentences")]

use super::{Stage, build, soon, woken};
use domain::{
    Failure, FailureClass, Usage,
    build::{Attempt, Outcome, Work},
};
use futures::{FutureExt, future::join_all};
use ports::{ExecutorName, OutcomeBus, OutcomeReport, Received};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// A stage with a bus of reports.
pub type OutcomeStage = Stage<Arc<dyn OutcomeBus>>;

/// Instantiates every story for a factory: `async fn() -> OutcomeStage`.
#[macro_export]
macro_rules! outcome_stories {
    ($factory:path) => {
        $crate::outcome_stories!($factory:
            a_report_arrives_whole,
            reports_of_one_attempt_arrive_in_their_order,
            reports_of_many_executors_all_arrive_in_bounded_groups,
            a_confirmed_report_does_not_come_again,
            an_unconfirmed_report_comes_again,
            unconfirmed_reports_come_again_in_their_order,
            a_driver_that_dies_leaves_its_reports_to_the_next,
            whoever_reported_learns_that_it_is_confirmed,
            a_driver_that_stops_waiting_takes_nothing_with_it,
            a_driver_that_waits_is_woken_by_a_report,
        );
    };
    ($factory:path: $($story:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $story() {
            $crate::bus::outcomes::$story(&$factory().await).await;
        }
    )+};
}

fn started(of: u64, attempt: u32) -> OutcomeReport {
    let executor = ExecutorName("executor-1".into());
    OutcomeReport::Started { build: build(of), work: Work::Plan, attempt: Attempt(attempt), executor }
}

fn finished(of: u64, attempt: u32, message: &str) -> OutcomeReport {
    let executor = ExecutorName("executor-1".into());
    let mut failure = Failure::new(FailureClass::CheckFailed, "");
    message.clone_into(&mut failure.message);
    let outcome = Outcome { result: Err(failure), usage: Usage::default(), session_id: None, duration_ms: 7 };
    OutcomeReport::Finished {
        build: build(of),
        work: Work::Plan,
        attempt: Attempt(attempt),
        executor,
        outcome,
    }
}

fn attempt(received: &Received) -> u32 {
    let (_, _, attempt) = received.report.about();
    attempt.0
}

async fn report(stage: &OutcomeStage, report: OutcomeReport) {
    soon(stage.executors[0].report(report)).await.expect("open");
}

async fn receive(stage: &OutcomeStage, limit: usize) -> Vec<Received> {
    soon(stage.driver.reports(limit)).await.expect("open")
}

/// So many reports, unconfirmed.
async fn collect(stage: &OutcomeStage, count: usize) -> Vec<Received> {
    let mut received = Vec::new();
    while received.len() < count {
        received.extend(receive(stage, count - received.len()).await);
    }
    received
}

/// Reports something new and receives until it comes: whatever else was there came before it.
async fn rest(stage: &OutcomeStage) -> Vec<u32> {
    report(stage, started(99, u32::MAX)).await;
    let mut rest = Vec::new();
    loop {
        for received in receive(stage, 1).await {
            let attempt = attempt(&received);
            received.receipt.confirm(ports::Answer::Accepted).await;
            if attempt == u32::MAX {
                return rest;
            }
            rest.push(attempt);
        }
    }
}

pub async fn a_report_arrives_whole(stage: &OutcomeStage) {
    for sent in
        [started(1, 1), finished(1, 1, "exited \"1\""), finished(1, 2, &"\u{1f980}\n".repeat(500_000))]
    {
        report(stage, sent.clone()).await;
        for received in collect(stage, 1).await {
            assert!(received.report == sent, "it was changed on its way");
            received.receipt.confirm(ports::Answer::Accepted).await;
        }
    }
}

pub async fn reports_of_one_attempt_arrive_in_their_order(stage: &OutcomeStage) {
    for n in 1..=200 {
        report(stage, started(1, n)).await;
        report(stage, finished(1, n, "x")).await;
    }
    let mut next = HashMap::<u32, bool>::new();
    for received in collect(stage, 400).await {
        let is_finished = matches!(received.report, OutcomeReport::Finished { .. });
        assert_eq!(next.insert(attempt(&received), true).is_some(), is_finished, "the end came first");
        received.receipt.confirm(ports::Answer::Accepted).await;
    }
}

pub async fn reports_of_many_executors_all_arrive_in_bounded_groups(stage: &OutcomeStage) {
    const EACH: u32 = 250;
    let sides = stage.executors.iter().cycle();
    let executors = (0..8).zip(sides).map(|(of, side)| {
        let bus = Arc::clone(side);
        tokio::spawn(async move {
            for n in 1..=EACH {
                bus.report(started(of, n)).await.expect("open");
            }
        })
    });
    let executors: Vec<_> = executors.collect();
    let mut seen = HashMap::<_, u32>::new();
    while seen.values().sum::<u32>() < 8 * EACH {
        let group = receive(stage, 64).await;
        assert!((1..=64).contains(&group.len()));
        for received in group {
            let OutcomeReport::Started { build, .. } = received.report else { panic!("none was reported") };
            *seen.entry(build).or_default() += 1;
            received.receipt.confirm(ports::Answer::Accepted).await;
        }
    }
    join_all(executors).await;
    assert!(seen.values().all(|count| *count == EACH), "{seen:?}");
    assert!(rest(stage).await.is_empty());
}

pub async fn a_confirmed_report_does_not_come_again(stage: &OutcomeStage) {
    for n in 1..=10 {
        report(stage, started(1, n)).await;
    }
    for received in collect(stage, 10).await {
        received.receipt.confirm(ports::Answer::Accepted).await;
    }
    assert!(rest(stage).await.is_empty());
}

pub async fn an_unconfirmed_report_comes_again(stage: &OutcomeStage) {
    for n in 1..=3 {
        report(stage, started(1, n)).await;
    }
    for received in collect(stage, 3).await {
        // The second one could not be committed.
        if attempt(&received) != 2 {
            received.receipt.confirm(ports::Answer::Accepted).await;
        }
    }
    let again = collect(stage, 1).await;
    assert_eq!(again.iter().map(attempt).collect::<Vec<_>>(), [2]);
    for received in again {
        received.receipt.confirm(ports::Answer::Accepted).await;
    }
    assert!(rest(stage).await.is_empty());
}

pub async fn unconfirmed_reports_come_again_in_their_order(stage: &OutcomeStage) {
    for n in 1..=20 {
        report(stage, started(1, n)).await;
    }
    drop(collect(stage, 20).await);
    let again = collect(stage, 20).await;
    assert!(again.iter().map(attempt).eq(1..=20), "{:?}", again.iter().map(attempt).collect::<Vec<_>>());
    for received in again {
        received.receipt.confirm(ports::Answer::Accepted).await;
    }
}

pub async fn a_driver_that_dies_leaves_its_reports_to_the_next(stage: &OutcomeStage) {
    report(stage, started(1, 1)).await;
    let died = tokio::spawn({
        let bus = Arc::clone(&stage.driver);
        async move {
            let _received = bus.reports(1).await;
            std::future::pending::<()>().await;
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    died.abort();
    assert_eq!(collect(stage, 1).await.iter().map(attempt).collect::<Vec<_>>(), [1]);
}

pub async fn whoever_reported_learns_that_it_is_confirmed(stage: &OutcomeStage) {
    let first = stage.executors[0].report(started(1, 1)).await.expect("open");
    let second = stage.executors[1].report(started(1, 2)).await.expect("open");
    let (mut first, second) = (Box::pin(first.granted()), second.granted());
    let mut received = collect(stage, 2).await;
    received.sort_by_key(attempt);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(first.as_mut().now_or_never().is_none(), "taken is not confirmed");
    received.pop().expect("two").receipt.confirm(ports::Answer::Accepted).await;
    assert!(soon(second).await);
    assert!(first.as_mut().now_or_never().is_none(), "the other one was");
    received.pop().expect("one").receipt.confirm(ports::Answer::Accepted).await;
    assert!(soon(first).await);
}

pub async fn a_driver_that_stops_waiting_takes_nothing_with_it(stage: &OutcomeStage) {
    for n in 1..=20 {
        let impatient = tokio::spawn({
            let bus = Arc::clone(&stage.driver);
            async move { bus.reports(10).await.map(drop) }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        report(stage, started(1, n)).await;
        impatient.abort();
        let _ = impatient.await;
        for received in collect(stage, 1).await {
            assert_eq!(attempt(&received), n);
            received.receipt.confirm(ports::Answer::Accepted).await;
        }
    }
}

pub async fn a_driver_that_waits_is_woken_by_a_report(stage: &OutcomeStage) {
    let mut waits = Vec::new();
    for n in 1..=10 {
        let waiting = tokio::spawn({
            let bus = Arc::clone(&stage.driver);
            async move {
                let received = bus.reports(10).await.expect("open");
                let arrived = tokio::time::Instant::now();
                for received in received {
                    received.receipt.confirm(ports::Answer::Accepted).await;
                }
                arrived
            }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let reported = tokio::time::Instant::now();
        report(stage, started(1, n)).await;
        waits.push(soon(waiting).await.expect("no panic").duration_since(reported));
    }
    assert!(woken(&waits), "it looked only now and then: {waits:?}");
}
