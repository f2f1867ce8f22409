//! Whose work an order is: of one pool, and of executors that have what it asks for.

use crate::scene::{Scene, order_for};
use names::PoolName;
use ports::{Lease, Offered, OutcomeBus, TaskQueue, WorkOrder};
use std::{collections::BTreeSet, time::Duration};
use testkit::bus::{build, soon, task};

async fn take(queue: &dyn TaskQueue) -> Box<dyn Lease> {
    soon(queue.take()).await.expect("open")
}

/// Nothing comes, though it is waited for longer than anything takes that does come.
async fn expect_nothing(queue: &dyn TaskQueue) {
    let taken = tokio::time::timeout(Duration::from_millis(1_500), queue.take()).await;
    assert!(taken.is_err(), "it is another's");
}

async fn has(queue: &dyn TaskQueue, order: &WorkOrder) -> bool {
    soon(queue.has(order)).await.expect("told")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_go_to_the_executors_of_their_pool() {
    let scene = Scene::new();
    let driver = scene.queue().await;
    let (small, large) = (scene.executor("default", &[]).await, scene.executor("large", &[]).await);
    let (of_default, of_large) = (order_for("default", &[], 1, 1), order_for("large", &[], 1, 2));
    for order in [&of_large, &of_default] {
        assert_eq!(driver.offer(order.clone()).await.expect("taken"), Offered::New);
        assert_eq!(driver.offer(order.clone()).await.expect("taken"), Offered::Duplicate);
        assert!(has(&driver, order).await);
    }
    let lease = take(&small).await;
    assert_eq!(*lease.order(), of_default);
    expect_nothing(&small).await;
    lease.settle().await;
    let lease = take(&large).await;
    assert_eq!(*lease.order(), of_large);
    assert!(!lease.was_taken_before());
    let backlog = driver.backlog(&"large".parse().expect("a name")).await.expect("told");
    assert_eq!((backlog.waiting, backlog.held), (0, 1));
    lease.settle().await;
    assert!(!has(&driver, &of_large).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_without_executors_keeps_its_orders_until_one_comes() {
    let scene = Scene::new();
    let driver = scene.queue().await;
    for n in 0..3 {
        driver.offer(order_for("later", &["gpu"], 1, n)).await.expect("taken");
    }
    let executor = scene.executor("later", &["gpu"]).await;
    for n in 0..3 {
        let lease = take(&executor).await;
        assert_eq!(lease.order().work, task(n));
        lease.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_executor_takes_what_asks_for_nothing_that_it_lacks() {
    let scene = Scene::new();
    let driver = scene.queue().await;
    let (plain, gpu) = (scene.executor("default", &[]).await, scene.executor("default", &["gpu"]).await);
    let both = scene.executor("default", &["gpu", "arm64"]).await;
    let asking = [(1, vec!["gpu"]), (2, vec!["arm64"]), (3, vec!["arm64", "gpu"]), (4, vec!["riscv"])];
    for (n, labels) in &asking {
        driver.offer(order_for("default", labels, 1, *n)).await.expect("taken");
    }
    expect_nothing(&plain).await;
    let lease = take(&gpu).await;
    assert_eq!(lease.order().work, task(1));
    expect_nothing(&gpu).await;
    lease.settle().await;

    let mut taken = BTreeSet::new();
    for _ in 0..2 {
        let lease = take(&both).await;
        assert!(!lease.was_taken_before(), "it was given out in vain");
        taken.insert(lease.order().work);
        lease.settle().await;
    }
    assert_eq!(taken, BTreeSet::from([task(2), task(3)]));
    // And what asks for nothing is for all.
    for (n, executor) in [(5, &plain), (6, &gpu), (7, &both)] {
        driver.offer(order_for("default", &[], 1, n)).await.expect("taken");
        let lease = take(executor).await;
        assert_eq!(lease.order().work, task(n));
        lease.settle().await;
    }
    let backlog = driver.backlog(&PoolName::default()).await.expect("told");
    assert_eq!((backlog.waiting, backlog.held), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_executor_of_several_lanes_takes_no_more_than_it_has_room_for() {
    const EACH: u32 = 20;
    let scene = Scene::new();
    let driver = scene.queue().await;
    let executor = scene.executor("default", &["gpu", "arm64"]).await;
    for n in 0..EACH {
        for (lane, labels) in [&[][..], &["gpu"], &["arm64"]].into_iter().enumerate() {
            let order = order_for("default", labels, lane as u64, n);
            driver.offer(order).await.expect("taken");
        }
    }
    let workers = (0..2).map(|_| {
        let (executor, driver) = (executor.clone(), driver.clone());
        tokio::spawn(async move {
            let mut taken = 0;
            while let Ok(lease) = tokio::time::timeout(Duration::from_secs(3), executor.take()).await {
                let lease = lease.expect("open");
                assert!(!lease.was_taken_before(), "it was given out in vain");
                let backlog = driver.backlog(&PoolName::default()).await.expect("told");
                assert!(backlog.held <= 2, "{backlog:?}");
                lease.settle().await;
                taken += 1;
            }
            taken
        })
    });
    let mut taken = 0;
    for worker in workers.collect::<Vec<_>>() {
        taken += soon(worker).await.expect("no panic");
    }
    assert_eq!(taken, 3 * EACH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_build_is_forgotten_in_every_pool_and_lane_also_by_a_driver_that_offered_nothing() {
    let scene = Scene::new();
    let (driver, other) = (scene.queue().await, scene.queue().await);
    let orders = |of| {
        [
            order_for("default", &[], of, 1),
            order_for("default", &["gpu"], of, 2),
            order_for("large", &[], of, 3),
            order_for("large", &["arm64", "gpu"], of, 4),
        ]
    };
    for order in orders(1).into_iter().chain(orders(2)) {
        driver.offer(order).await.expect("taken");
    }
    let executor = scene.executor("large", &[]).await;
    let held = take(&executor).await;
    assert_eq!(held.order().build, build(1));
    other.forget(build(1));
    soon(held.revoked().cancelled()).await;
    for order in orders(1) {
        assert!(!has(&driver, &order).await, "{order:?}");
    }
    for order in orders(2) {
        assert!(has(&driver, &order).await, "{order:?}");
    }
    held.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_with_labels_that_was_given_back_too_often_becomes_a_failure_too() {
    let mut scene = Scene::new();
    scene.options.max_deliver = 2;
    scene.options.sweep_every = Duration::from_millis(300);
    let (driver, outcomes) = (scene.queue().await, scene.outcomes().await);
    let executor = scene.executor("large", &["gpu"]).await;
    let hopeless = order_for("large", &["gpu"], 1, 1);
    driver.offer(hopeless.clone()).await.expect("taken");
    let taking = tokio::spawn(async move { while executor.take().await.map(drop).is_ok() {} });
    let received = soon(outcomes.reports(10)).await.expect("open");
    for received in received {
        assert_eq!(received.report.about(), (build(1), task(1), hopeless.attempt));
        received.receipt.confirm(ports::Answer::Accepted).await;
    }
    soon(async {
        while has(&driver, &hopeless).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    taking.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_whose_stream_takes_long_to_be_made_keeps_no_other_waiting() {
    // Given a pool whose stream was removed: before it is made again there is a pause
    let mut scene = Scene::new();
    scene.options.removal_pause = Duration::from_secs(8);
    let driver = scene.queue().await;
    for pool in ["slow", "default"] {
        driver.offer(order_for(pool, &[], 1, 0)).await.expect("taken");
    }
    scene.jetstream().await.delete_stream("TASKS_slow").await.expect("removed");

    // When orders go on being offered, to it and to others, on lanes that are there and on new ones
    let slow = driver.clone();
    let slow = tokio::spawn(async move { slow.offer(order_for("slow", &[], 2, 0)).await });
    let mut longest = Duration::ZERO;
    let mut number = 0;
    while !slow.is_finished() {
        number += 1;
        let label = format!("label-{number}");
        for labels in [&[][..], &[label.as_str()]] {
            let began = std::time::Instant::now();
            soon(driver.offer(order_for("default", labels, 3, number))).await.expect("taken");
            longest = longest.max(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // Then no other was kept waiting for it.
    assert_eq!(slow.await.expect("no panic").expect("taken"), Offered::New);
    assert!(longest < scene.options.removal_pause / 2, "{longest:?}");
}

/// What taking costs while many wait; printed for the documentation of the queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_five_hundred_orders_waiting_all_are_taken_in_order() {
    const WAITING: u32 = 500;
    let scene = Scene::new();
    let (driver, executor) = (scene.queue().await, scene.queue().await);
    for n in 0..WAITING {
        driver.offer(order_for("default", &[], u64::from(n), n)).await.expect("taken");
    }
    let began = std::time::Instant::now();
    for n in 0..WAITING {
        let lease = take(&executor).await;
        assert_eq!(lease.order().work, task(n));
        lease.settle().await;
    }
    println!("one of {WAITING} orders is taken and settled in {:?}", began.elapsed() / WAITING);
}
