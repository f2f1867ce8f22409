//! What every queue of work orders promises.
#![allow(missing_docs, clippy::missing_panics_doc, reason = "the names are the sentences")]

use super::{Stage, build, order, soon, task, woken};
use domain::build::{Attempt, Work};
use futures::future::join_all;
use ports::{BusError, Lease, Offered, TaskQueue, WorkKind, WorkOrder};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// A stage with a queue.
pub type QueueStage = Stage<Arc<dyn TaskQueue>>;

/// Instantiates every story for a factory: `async fn(capacity: u32) -> QueueStage`.
#[macro_export]
macro_rules! queue_stories {
    ($factory:path) => {
        $crate::queue_stories!($factory:
            100_000 orders_are_taken_in_the_order_they_were_offered,
            100_000 an_order_arrives_whole,
            100_000 an_attempt_is_offered_once_while_it_waits_or_is_held,
            100_000 a_lease_that_is_dropped_gives_its_order_back,
            100_000 an_executor_that_waits_gets_what_another_one_gave_back,
            100_000 an_order_that_was_given_back_says_that_it_was_taken_before,
            100_000 an_order_that_nobody_came_to_have_was_not_taken_before,
            100_000 the_queue_knows_what_waits_and_what_is_held,
            100_000 whoever_waits_is_woken_by_an_offer,
            100_000 a_settled_order_does_not_come_again,
            100_000 a_forgotten_build_is_not_handed_out_any_more,
            100_000 whoever_holds_work_of_a_forgotten_build_is_told_to_stop,
            100_000 a_revoked_attempt_stops_and_its_successor_is_handed_out,
            100_000 a_taker_that_stops_waiting_takes_nothing_with_it,
            2 a_full_queue_refuses_until_something_is_settled,
            100_000 many_takers_share_many_orders_without_loss_or_double,
        );
    };
    ($factory:path: $($capacity:literal $story:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $story() {
            $crate::bus::queue::$story(&$factory($capacity).await).await;
        }
    )+};
}

async fn offer(stage: &QueueStage, order: WorkOrder) -> Offered {
    soon(stage.driver.offer(order)).await.expect("taken")
}

async fn take(stage: &QueueStage, executor: usize) -> Box<dyn Lease> {
    soon(stage.executors[executor].take()).await.expect("open")
}

fn name(lease: &dyn Lease) -> String {
    let order = lease.order();
    format!("{} {} {}", order.build, order.work, order.attempt)
}

async fn next(stage: &QueueStage, executor: usize) -> String {
    let lease = take(stage, executor).await;
    let name = name(&*lease);
    lease.settle().await;
    name
}

/// Offers an order that nobody offered before and takes until it comes: whatever else was there came before it.
async fn rest(stage: &QueueStage) -> Vec<String> {
    offer(stage, order(u64::MAX, Work::Merge, 9)).await;
    let mut rest = Vec::new();
    loop {
        let name = next(stage, 0).await;
        if name == format!("{} merge 9", build(u64::MAX)) {
            return rest;
        }
        rest.push(name);
    }
}

pub async fn orders_are_taken_in_the_order_they_were_offered(stage: &QueueStage) {
    for n in 0..50 {
        assert_eq!(offer(stage, order(1, task(n), 1)).await, Offered::New);
    }
    for n in 0..50_u32 {
        assert_eq!(next(stage, n as usize % 2).await, format!("{} task-{n} 1", build(1)));
    }
}

pub async fn an_order_arrives_whole(stage: &QueueStage) {
    let mut sent = order(7, Work::Plan, 3);
    sent.kind = WorkKind::Plan { previous_failure: Some("no \"plan\" \u{1f980}".repeat(60_000)) };
    offer(stage, sent.clone()).await;
    let lease = take(stage, 0).await;
    assert!(*lease.order() == sent, "it was changed on its way");
    lease.settle().await;
}

pub async fn an_attempt_is_offered_once_while_it_waits_or_is_held(stage: &QueueStage) {
    assert_eq!(offer(stage, order(1, Work::Plan, 1)).await, Offered::New);
    assert_eq!(offer(stage, order(1, Work::Plan, 1)).await, Offered::Duplicate);
    let lease = take(stage, 0).await;
    assert_eq!(offer(stage, order(1, Work::Plan, 1)).await, Offered::Duplicate);

    // Other attempts, works and builds are other orders.
    let others = [order(1, Work::Plan, 2), order(1, Work::Merge, 1), order(2, Work::Plan, 1)];
    for other in others {
        assert_eq!(offer(stage, other).await, Offered::New);
    }
    assert_eq!(rest(stage).await.len(), 3);
    lease.settle().await;
}

pub async fn a_lease_that_is_dropped_gives_its_order_back(stage: &QueueStage) {
    for n in 0..3 {
        offer(stage, order(1, task(n), 1)).await;
    }
    drop(take(stage, 0).await);
    let mut taken = BTreeSet::new();
    for _ in 0..3 {
        taken.insert(next(stage, 1).await);
    }
    assert_eq!(taken.len(), 3, "{taken:?}");
    assert!(rest(stage).await.is_empty());
}

pub async fn an_executor_that_waits_gets_what_another_one_gave_back(stage: &QueueStage) {
    offer(stage, order(1, Work::Plan, 1)).await;
    let lease = take(stage, 0).await;
    let waiting = tokio::spawn({
        let executor = Arc::clone(&stage.executors[1]);
        async move { executor.take().await.map(|lease| name(&*lease)) }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "two hold the same order");
    drop(lease);
    assert_eq!(soon(waiting).await.expect("no panic").expect("open"), format!("{} plan 1", build(1)));
}

pub async fn an_order_that_was_given_back_says_that_it_was_taken_before(stage: &QueueStage) {
    for n in 1..=2 {
        offer(stage, order(1, task(n), 1)).await;
    }
    let first = take(stage, 0).await;
    assert!(!first.was_taken_before());
    drop(first);
    let mut before = BTreeMap::new();
    for executor in [1, 0] {
        let lease = take(stage, executor).await;
        before.insert(lease.order().work, lease.was_taken_before());
        lease.settle().await;
    }
    assert_eq!(before, BTreeMap::from([(task(1), true), (task(2), false)]));

    // Its next attempt is another order.
    offer(stage, order(1, task(1), 2)).await;
    let next = take(stage, 1).await;
    assert!(!next.was_taken_before());
    next.settle().await;
}

pub async fn an_order_that_nobody_came_to_have_was_not_taken_before(stage: &QueueStage) {
    for n in 0..20 {
        let waiting = tokio::spawn({
            let executor = Arc::clone(&stage.executors[0]);
            async move { executor.take().await.map(drop) }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        waiting.abort();
        // It stopped waiting, but may have been waited for.
        if soon(waiting).await.is_ok() {
            panic!("there was nothing to take");
        }
        offer(stage, order(1, task(n), 1)).await;
        let lease = take(stage, 1).await;
        assert_eq!(lease.order().work, task(n));
        assert!(!lease.was_taken_before(), "nobody can have begun with it");
        lease.settle().await;
    }
}

pub async fn the_queue_knows_what_waits_and_what_is_held(stage: &QueueStage) {
    let has = async |order: WorkOrder| soon(stage.driver.has(&order)).await.expect("told");
    let first = || order(1, task(1), 1);
    assert!(!has(first()).await, "it was never offered");
    for order in [first(), order(1, task(2), 1), order(2, task(1), 1)] {
        offer(stage, order).await;
    }
    assert!(has(first()).await, "it waits");
    let held = take(stage, 0).await;
    assert_eq!(held.order().work, task(1));
    assert!(has(first()).await, "it is held");
    assert!(!has(order(1, task(1), 2)).await, "another attempt is another order");
    held.settle().await;
    assert!(!has(first()).await, "it is settled");

    assert!(has(order(1, task(2), 1)).await);
    stage.driver.forget(build(1));
    soon(async {
        while has(order(1, task(2), 1)).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(has(order(2, task(1), 1)).await, "its build goes on");
}

pub async fn whoever_waits_is_woken_by_an_offer(stage: &QueueStage) {
    let mut waits = Vec::new();
    for n in 0..10 {
        let waiting = tokio::spawn({
            let executor = Arc::clone(&stage.executors[0]);
            async move {
                let lease = executor.take().await.expect("open");
                let taken = tokio::time::Instant::now();
                lease.settle().await;
                taken
            }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let offered = tokio::time::Instant::now();
        offer(stage, order(1, task(n), 1)).await;
        waits.push(soon(waiting).await.expect("no panic").duration_since(offered));
    }
    assert!(woken(&waits), "it looked only now and then: {waits:?}");
}

pub async fn a_settled_order_does_not_come_again(stage: &QueueStage) {
    for n in 0..5 {
        offer(stage, order(1, task(n), 1)).await;
        take(stage, 0).await.settle().await;
    }
    assert!(rest(stage).await.is_empty());
}

pub async fn a_forgotten_build_is_not_handed_out_any_more(stage: &QueueStage) {
    for n in 0..6 {
        offer(stage, order(u64::from(n % 2), task(n), 1)).await;
    }
    let held = take(stage, 0).await;
    assert_eq!(name(&*held), format!("{} task-0 1", build(0)));

    stage.driver.forget(build(0));
    soon(held.revoked().cancelled()).await;
    drop(held); // given back too late
    assert_eq!(rest(stage).await, [1, 3, 5].map(|n| format!("{} task-{n} 1", build(1))));
}

pub async fn whoever_holds_work_of_a_forgotten_build_is_told_to_stop(stage: &QueueStage) {
    for of in [1, 2] {
        offer(stage, order(of, task(0), 1)).await;
    }
    let (first, second) = (take(stage, 0).await, take(stage, 1).await);
    stage.driver.forget(build(1));
    soon(first.revoked().cancelled()).await;
    assert!(!first.is_lost(), "what it cost must still be reported");
    assert!(!second.revoked().is_cancelled());
    // Forgetting what was forgotten, or never was, does no harm.
    stage.driver.forget(build(1));
    stage.driver.forget(build(3));
    first.settle().await;
    second.settle().await;
}

pub async fn a_revoked_attempt_stops_and_its_successor_is_handed_out(stage: &QueueStage) {
    for n in 0..2 {
        offer(stage, order(1, task(n), 1)).await;
    }
    let held = take(stage, 0).await;
    stage.driver.revoke(build(1), task(1), Attempt(1));
    stage.driver.revoke(build(1), task(0), Attempt(1));
    soon(held.revoked().cancelled()).await;
    drop(held);
    offer(stage, order(1, task(0), 2)).await;
    assert_eq!(rest(stage).await, [format!("{} task-0 2", build(1))]);
}

pub async fn a_taker_that_stops_waiting_takes_nothing_with_it(stage: &QueueStage) {
    for n in 0..20 {
        let impatient = tokio::spawn({
            let executor = Arc::clone(&stage.executors[0]);
            async move { executor.take().await.map(|lease| name(&*lease)) }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        offer(stage, order(1, task(n), 1)).await;
        // It may have been woken, and may even have it, but goes without settling it.
        impatient.abort();
        let _ = impatient.await;
        assert_eq!(next(stage, 1).await, format!("{} task-{n} 1", build(1)));
    }
}

pub async fn a_full_queue_refuses_until_something_is_settled(stage: &QueueStage) {
    for n in 0..2 {
        offer(stage, order(1, task(n), 1)).await;
    }
    assert!(matches!(stage.driver.offer(order(1, task(2), 1)).await, Err(BusError::Unavailable(_))));
    // What is there already is no news, and not refused.
    assert_eq!(offer(stage, order(1, task(0), 1)).await, Offered::Duplicate);
    take(stage, 0).await.settle().await;
    assert_eq!(offer(stage, order(1, task(2), 1)).await, Offered::New);
}

pub async fn many_takers_share_many_orders_without_loss_or_double(stage: &QueueStage) {
    const ORDERS: u32 = 2_000;
    let count = Arc::new(AtomicU32::new(0));
    let takers = (0..8).map(|taker| {
        let (executor, count) = (Arc::clone(&stage.executors[taker % 2]), Arc::clone(&count));
        tokio::spawn(async move {
            let (mut settled, mut taken) = (Vec::new(), 0);
            while count.load(Ordering::Acquire) < ORDERS {
                let lease = tokio::select! {
                    lease = executor.take() => lease.expect("open"),
                    () = tokio::time::sleep(Duration::from_millis(50)) => continue,
                };
                let Work::Task(number) = lease.order().work else { panic!("offered tasks only") };
                taken += 1;
                // Now and then one is given back and comes again, to anybody.
                if taker % 4 == 0 && taken % 5 == 0 {
                    drop(lease);
                } else {
                    lease.settle().await;
                    settled.push(number.0);
                    count.fetch_add(1, Ordering::AcqRel);
                }
            }
            settled
        })
    });
    let takers: Vec<_> = takers.collect();
    for n in 0..ORDERS {
        offer(stage, order(u64::from(n % 100), task(n), 1)).await;
    }
    let settled =
        tokio::time::timeout(Duration::from_secs(60), join_all(takers)).await.expect("all are taken");
    let mut settled: Vec<u32> = settled.into_iter().flat_map(|taker| taker.expect("no panic")).collect();
    settled.sort_unstable();
    assert!(settled.into_iter().eq(0..ORDERS), "an order was lost or settled twice");
    assert!(rest(stage).await.is_empty());
}
