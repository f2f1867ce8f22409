//! Who holds an order, whatever befalls the connection.

use crate::scene::{Scene, attempt, finished, name};
use domain::build::Attempt;
use names::PoolName;
use ports::{BusError, Offered, OutcomeBus, TaskQueue};
use std::time::{Duration, Instant};
use testkit::{
    bus::{build, order, soon, task},
    nats::Proxy,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_stays_with_an_executor_that_works_longer_than_ack_wait() {
    let scene = Scene::new();
    let (driver, worker, idle) = (scene.queue().await, scene.queue().await, scene.queue().await);
    driver.offer(order(1, task(1), 1)).await.expect("taken");
    let lease = soon(worker.take()).await.expect("open");
    let second = tokio::time::timeout(scene.options.ack_wait * 2, idle.take()).await;
    assert!(second.is_err(), "two hold the same order");
    assert!(!lease.is_lost() && !lease.revoked().is_cancelled());
    lease.settle().await;
    assert_eq!(driver.backlog(&PoolName::default()).await.expect("told").waiting, 0);
    assert_eq!(driver.backlog(&PoolName::default()).await.expect("told").held, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_executor_cut_off_longer_than_ack_wait_loses_its_order_to_another() {
    let scene = Scene::new();
    let wire = Proxy::to(scene.server.port()).await;
    let driver = scene.queue().await;
    let cut_off = scene.queue_of(&scene.bus_at(wire.url()).await);
    let other = scene.queue().await;
    driver.offer(order(1, task(1), 1)).await.expect("taken");
    let lost = soon(cut_off.take()).await.expect("open");

    let cut = Instant::now();
    wire.hold();
    let again = soon(other.take()).await.expect("open");
    assert_eq!(name(&*again), format!("{} task-1 1", build(1)));
    // Not only when the next request is due.
    assert!(cut.elapsed() < Duration::from_secs(15), "{:?}", cut.elapsed());
    // Before that moment the first one knew: never did two believe they hold it.
    assert!(lost.is_lost() && lost.revoked().is_cancelled());

    // Back again, it takes nothing from the other.
    wire.release();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(lost.is_lost());
    lost.settle().await;
    let third = tokio::time::timeout(scene.options.ack_wait * 3 / 2, cut_off.take()).await;
    assert!(third.is_err(), "the order came a third time");
    assert!(!again.is_lost());
    again.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_lease_that_is_dropped_is_not_given_back_over_the_head_of_its_holder() {
    let scene = Scene::new();
    let wire = Proxy::to(scene.server.port()).await;
    let (driver, other) = (scene.queue().await, scene.queue().await);
    let cut_off = scene.queue_of(&scene.bus_at(wire.url()).await);
    driver.offer(order(1, task(1), 1)).await.expect("taken");
    let lost = soon(cut_off.take()).await.expect("open");
    wire.hold();
    let held = soon(other.take()).await.expect("open");
    wire.release();
    drop(lost);
    let third = tokio::time::timeout(Duration::from_millis(2_500), cut_off.take()).await;
    assert!(third.is_err(), "two hold the same order");
    held.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_dead_executor_held_is_handed_out_again() {
    let mut scene = Scene::new();
    scene.options.ack_wait = Duration::from_secs(1);
    let wire = Proxy::to(scene.server.port()).await;
    let (driver, other) = (scene.queue().await, scene.queue().await);
    for n in 0..5 {
        driver.offer(order(1, task(n), 1)).await.expect("taken");
    }
    let dead = scene.queue_of(&scene.bus_at(wire.url()).await);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(soon(dead.take()).await.expect("open"));
    }
    // Without a word: nothing it says from here on arrives.
    wire.hold();
    for _ in 0..5 {
        soon(other.take()).await.expect("open").settle().await;
    }
    assert!(held.iter().all(|lease| lease.is_lost()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_is_heard_at_once_however_long_leases_are() {
    let mut scene = Scene::new();
    scene.options.ack_wait = Duration::from_mins(1);
    let (driver, executor) = (scene.queue().await, scene.queue().await);
    for n in 1..=2 {
        driver.offer(order(n, task(1), 1)).await.expect("taken");
    }
    let (first, second) =
        (soon(executor.take()).await.expect("open"), soon(executor.take()).await.expect("open"));
    driver.forget(build(1));
    driver.revoke(build(2), task(1), Attempt(1));
    for lease in [first, second] {
        let revoked = tokio::time::timeout(Duration::from_secs(5), lease.revoked().cancelled_owned()).await;
        revoked.expect("heard");
        lease.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revocation_that_nobody_heard_is_noticed_with_the_next_renewal() {
    let scene = Scene::new();
    let (driver, executor) = (scene.queue().await, scene.queue().await);
    for n in 1..=2 {
        driver.offer(order(n, task(1), 1)).await.expect("taken");
    }
    let (revoked, other) =
        (soon(executor.take()).await.expect("open"), soon(executor.take()).await.expect("open"));
    // The order is removed, and what executors should have been told got lost.
    let stream = scene.jetstream().await.get_stream("TASKS").await.expect("a stream");
    stream.purge().filter(format!("buildwright.tasks.*.*.{}.>", build(1))).await.expect("removed");
    soon(revoked.revoked().cancelled()).await;
    assert!(!revoked.is_lost(), "what it cost must still be reported");
    // The other one has been renewed since.
    tokio::time::sleep(scene.options.ack_wait / 2).await;
    assert!(!other.revoked().is_cancelled());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attempt_offered_again_after_it_was_settled_is_a_duplicate_for_a_while() {
    let scene = Scene::new();
    let queue = scene.queue().await;
    for attempt in 1..=3 {
        assert_eq!(queue.offer(order(1, task(1), attempt)).await.expect("taken"), Offered::New);
        soon(queue.take()).await.expect("open").settle().await;
        // A second driver that was slower.
        assert_eq!(queue.offer(order(1, task(1), attempt)).await.expect("taken"), Offered::Duplicate);
    }
    assert_eq!(queue.backlog(&PoolName::default()).await.expect("told").waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_executor_takes_no_more_than_it_has_room_for() {
    let scene = Scene::new();
    let (driver, executor) = (scene.queue().await, scene.queue().await);
    for n in 0..50 {
        driver.offer(order(1, task(n), 1)).await.expect("taken");
    }
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(soon(executor.take()).await.expect("open"));
    }
    let backlog = driver.backlog(&PoolName::default()).await.expect("told");
    assert_eq!((backlog.waiting, backlog.held), (47, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_gives_back_what_is_held_and_what_is_on_its_way_and_ends_all_waiting() {
    let mut scene = Scene::new();
    scene.options.ack_wait = Duration::from_secs(25);
    let (driver, other) = (scene.queue().await, scene.queue().await);
    for round in 0..10 {
        let bus = scene.bus().await;
        let executor = scene.queue_of(&bus);
        for n in 0..3 {
            driver.offer(order(round, task(n), 1)).await.expect("taken");
        }
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(soon(executor.take()).await.expect("open"));
        }
        // Its request is with the server: what is given back may come straight here.
        let waiting = tokio::spawn({
            let executor = executor.clone();
            async move { executor.take().await.map(drop) }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(held);
        let closed = Instant::now();
        soon(bus.close()).await;
        let _ = soon(waiting).await.expect("no panic");
        assert!(matches!(soon(executor.take()).await.map(drop), Err(BusError::Closed)));
        assert!(matches!(executor.offer(order(1, task(9), 1)).await, Err(BusError::Closed)));
        for _ in 0..3 {
            soon(other.take()).await.expect("open").settle().await;
        }
        // Not after the leases ran out.
        assert!(closed.elapsed() < Duration::from_secs(15), "{:?}", closed.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_driver_that_closes_leaves_its_reports_to_the_next_at_once() {
    let scene = Scene::new();
    let (executor, next) = (scene.outcomes().await, scene.outcomes().await);
    for round in 1..=10 {
        let bus = scene.bus().await;
        let driver = scene.outcomes_of(&bus);
        let stopped = tokio::spawn(async move {
            // Two of three are taken, and asked for are more.
            let reports = driver.reports(2).await;
            std::future::pending::<()>().await;
            drop(reports);
        });
        for _ in 0..3 {
            executor.report(finished(1, round)).await.expect("taken");
        }
        stopped.abort();
        let closed = Instant::now();
        soon(bus.close()).await;
        let mut seen = 0;
        while seen < 3 {
            for received in soon(next.reports(10)).await.expect("open") {
                assert_eq!(attempt(&received), round);
                received.receipt.confirm(ports::Answer::Accepted).await;
                seen += 1;
            }
        }
        // Not after reports were waited for long enough.
        assert!(closed.elapsed() < Duration::from_secs(15), "{:?}", closed.elapsed());
    }
}
