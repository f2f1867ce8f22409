//! The server goes, comes back, and may have lost everything.

use crate::scene::{Scene, attempt, finished, name};
use buildwright_bus_nats::{NatsArtifacts, NatsBus, OutputBounds};
use domain::build::{Attempt, Work};
use names::PoolName;
use ports::{
    ArtifactError, ArtifactKey, ArtifactStore, BusError, OutcomeBus, OutputChunk, OutputLog, OutputStream,
    TaskQueue,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use testkit::{
    bus::{build, noon, order, soon, task},
    nats::Proxy,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_artifact_whose_storing_was_not_confirmed_is_whole_or_can_be_stored_again() {
    // Given a wire on which the last word about an artifact waits until it is given up
    let mut scene = Scene::new();
    scene.options.request_timeout = Duration::from_millis(300);
    let wire = Proxy::to(scene.server.port()).await;
    let behind = NatsArtifacts::new(&scene.bus_at(wire.url()).await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("content");
    std::fs::write(&file, "x".repeat(300_000)).expect("written");
    let key: ArtifactKey = "projects/shop/heads/1".to_owned().try_into().expect("a key");
    wire.hold_at("HPUB $O.");
    let (stored, ()) = tokio::join!(behind.put(&key, &file), wire.held());
    stored.expect_err("nothing was confirmed");

    // When it passes after all, and what was said after it
    wire.release();
    soon(async { while behind.put(&key, &file).await.is_err() {} }).await;

    // Then what is there is there with all that belongs to it
    let (artifacts, copy) = (scene.nats_artifacts().await, folder.path().join("copy"));
    artifacts.get(&key, &copy).await.expect("there");
    assert_eq!(std::fs::read(&copy).expect("read"), std::fs::read(&file).expect("read"));
}

/// Offers until the bus takes it, as the driver does.
async fn offer(queue: &dyn TaskQueue, n: u32) {
    soon(async {
        while queue.offer(order(1, task(n), 1)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Offers 200 orders while executors take them and `fault` happens in the middle; then again, as the driver's
/// sweeper does, what nobody has done yet. Returns what was done.
async fn work_through(scene: &mut Scene, fault: impl AsyncFnOnce(&mut Scene)) -> BTreeSet<u32> {
    const ORDERS: u32 = 200;
    let (driver, executors) = (scene.queue().await, [scene.queue().await, scene.queue().await]);
    let settled: Arc<std::sync::Mutex<BTreeSet<u32>>> = Arc::default();
    let workers: Vec<_> = executors
        .into_iter()
        .map(|queue| {
            let settled = Arc::clone(&settled);
            tokio::spawn(async move {
                while let Ok(lease) = queue.take().await {
                    let Work::Task(number) = lease.order().work else { panic!("offered tasks only") };
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    if !lease.is_lost() {
                        settled.lock().expect("no panic").insert(number.0);
                    }
                    lease.settle().await;
                }
            })
        })
        .collect();
    for n in 0..ORDERS / 2 {
        offer(&driver, n).await;
    }
    fault(scene).await;
    for n in ORDERS / 2..ORDERS {
        offer(&driver, n).await;
    }
    soon(async {
        loop {
            let left: Vec<u32> = {
                let settled = settled.lock().expect("no panic");
                (0..ORDERS).filter(|n| !settled.contains(n)).collect()
            };
            if left.is_empty() {
                break;
            }
            for n in left {
                offer(&driver, n).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    for worker in workers {
        worker.abort();
    }
    settled.lock().expect("no panic").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_killed_in_the_middle_and_started_again_loses_no_work() {
    let mut scene = Scene::new();
    let settled = work_through(&mut scene, async |scene| {
        scene.server.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        scene.server.start_again();
    })
    .await;
    assert_eq!(settled.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_comes_back_without_its_data_is_set_up_again_and_work_goes_on() {
    let mut scene = Scene::new();
    let settled = work_through(&mut scene, async |scene| {
        scene.server.kill();
        scene.server.wipe_data();
        scene.server.start_again();
    })
    .await;
    assert_eq!(settled.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn data_removed_under_a_running_server_is_survived_at_its_next_start() {
    let mut scene = Scene::new();
    let settled = work_through(&mut scene, async |scene| {
        scene.server.wipe_data();
        tokio::time::sleep(Duration::from_millis(200)).await;
        scene.server.stop();
        scene.server.start_again();
    })
    .await;
    assert_eq!(settled.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_executor_holds_while_the_data_is_lost_it_can_still_finish_and_no_other_order_pays_for_it() {
    let mut scene = Scene::new();
    // The lease is to outlast the server's absence.
    scene.options.ack_wait = Duration::from_secs(6);
    let (driver, executor) = (scene.queue().await, scene.queue().await);
    offer(&driver, 1).await;
    let before = soon(executor.take()).await.expect("open");
    scene.server.kill();
    scene.server.wipe_data();
    scene.server.start_again();

    // In the new stream another order has the very number that this one had.
    offer(&driver, 2).await;
    let after = soon(executor.take()).await.expect("open");
    assert_eq!(name(&*after), format!("{} task-2 1", build(1)));
    // It is renewed meanwhile.
    tokio::time::sleep(scene.options.ack_wait / 2).await;
    assert!(!before.revoked().is_cancelled(), "nobody revoked it");
    before.settle().await;
    assert_eq!(
        driver.backlog(&PoolName::default()).await.expect("told").held,
        1,
        "another's order was settled"
    );
    after.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_server_is_away_offers_are_refused_at_once_and_takers_wait() {
    let mut scene = Scene::new();
    let queue = scene.queue().await;
    let taker = tokio::spawn({
        let queue = queue.clone();
        async move { queue.take().await.map(|lease| name(&*lease)) }
    });
    scene.server.stop();
    soon(async {
        while queue.offer(order(2, task(0), 1)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let refused = tokio::time::timeout(Duration::from_millis(200), queue.offer(order(1, task(0), 1))).await;
    assert!(matches!(refused, Ok(Err(BusError::Unavailable(_)))));
    scene.server.start_again();
    offer(&queue, 5).await;
    // Not only when it wonders why the server is so quiet.
    let taken = tokio::time::timeout(Duration::from_secs(6), taker).await.expect("the taker asked again");
    let taken = taken.expect("no panic").expect("open");
    assert!(taken.ends_with(" 1"), "{taken}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_report_made_while_the_server_is_away_arrives_when_it_is_back() {
    let mut scene = Scene::new();
    let (driver, executor) = (scene.outcomes().await, scene.outcomes().await);
    for lost in [false, true] {
        let waiting = tokio::spawn({
            let driver = driver.clone();
            async move { driver.reports(10).await }
        });
        scene.server.kill();
        let reporting = tokio::spawn({
            let executor = executor.clone();
            async move { executor.report(finished(1, 1)).await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!reporting.is_finished());
        if lost {
            scene.server.wipe_data();
        }
        scene.server.start_again();
        let confirmation = soon(reporting).await.expect("no panic").expect("taken");
        let received = soon(waiting).await.expect("no panic").expect("open");
        assert_eq!(received.iter().map(attempt).collect::<Vec<_>>(), [1]);
        for received in received {
            received.receipt.confirm(ports::Answer::Accepted).await;
        }
        assert!(soon(confirmation.granted()).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_pile_up_without_loss_while_no_driver_takes_them() {
    const REPORTS: usize = 3_000;
    let scene = Scene::new();
    let executor = scene.outcomes().await;
    let driver = scene.outcomes().await;
    // It takes a few, and then stands still with them.
    executor.report(finished(1, 0)).await.expect("taken");
    let stuck = soon(driver.reports(512)).await.expect("open");
    for n in 1..=REPORTS {
        executor.report(finished(1, u32::try_from(n).expect("small"))).await.expect("taken");
    }
    let mut seen = BTreeSet::new();
    while seen.len() < REPORTS {
        for received in soon(driver.reports(512)).await.expect("open") {
            seen.insert(attempt(&received));
            received.receipt.confirm(ports::Answer::Accepted).await;
        }
    }
    assert_eq!(stuck.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn output_that_cannot_be_kept_is_counted_and_the_run_goes_on() {
    let mut scene = Scene::new();
    let bounds = OutputBounds { patience: Duration::from_millis(300), ..OutputBounds::default() };
    let (log, reader) = (scene.output(bounds).await, scene.output(bounds).await);
    let write = async |lines: &[&str]| {
        let lines = lines.iter().map(|text| (OutputStream::Stdout, noon(), (*text).to_owned())).collect();
        soon(log.write(OutputChunk { build: build(1), work: task(1), attempt: Attempt(1), lines })).await;
    };
    let texts = async || {
        let lines = reader.read(build(1), task(1), 0, 100).await.expect("readable");
        lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    write(&["one"]).await;
    scene.server.stop();
    write(&["two", "three"]).await;
    for _ in 0..100 {
        // Having waited once in vain, it does not wait again.
        let written = write(&["more"]);
        tokio::time::timeout(Duration::from_millis(100), written).await.expect("the run goes on");
    }
    scene.server.start_again();
    soon(async {
        loop {
            write(&["back"]).await;
            if texts().await.iter().any(|text| text == "back") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let texts = texts().await;
    assert_eq!(texts.first().map(String::as_str), Some("one"), "{texts:?}");
    assert!(texts.iter().any(|text| text.ends_with("lines of output could not be kept")), "{texts:?}");
    assert_eq!(texts.last().map(String::as_str), Some("back"), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_sees_new_lines_after_the_data_was_lost() {
    let mut scene = Scene::new();
    let (log, reader) =
        (scene.output(OutputBounds::default()).await, scene.output(OutputBounds::default()).await);
    let write = async |text: &str| {
        let lines = vec![(OutputStream::Stdout, noon(), text.to_owned())];
        soon(log.write(OutputChunk { build: build(1), work: task(1), attempt: Attempt(1), lines })).await;
    };
    for n in 0..10 {
        write(&format!("before {n}")).await;
    }
    let mut last = reader.follow(build(1), task(1));
    soon(last.wait_for(|last| *last == 10)).await.expect("told");
    scene.server.kill();
    scene.server.wipe_data();
    scene.server.start_again();
    write("after").await;
    // Numbering goes on, or whoever has seen ten lines would wait for the eleventh.
    let line = *soon(last.wait_for(|last| *last > 10)).await.expect("told");
    let lines = reader.read(build(1), task(1), 10, 100).await.expect("readable");
    assert_eq!(lines.last().map(|line| (line.seq, line.text.as_str())), Some((line, "after")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn artifacts_that_are_gone_are_not_found_and_can_be_stored_again() {
    let mut scene = Scene::new();
    let store = scene.nats_artifacts().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::write(&from, "content").expect("written");
    let key: ArtifactKey = "builds/b/base".to_owned().try_into().expect("a key");
    assert!(store.put(&key, &from).await.expect("stored"));
    scene.server.kill();
    let away = soon(store.get(&key, &to)).await;
    assert!(matches!(away, Err(ArtifactError::Unavailable(_))), "{away:?}");
    scene.server.wipe_data();
    scene.server.start_again();
    soon(async {
        while !matches!(store.get(&key, &to).await, Err(ArtifactError::NotFound(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(store.put(&key, &from).await.expect("stored"));
    store.get(&key, &to).await.expect("fetched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_connects_before_the_server_is_there_waits_for_it() {
    let mut scene = Scene::new();
    scene.server.stop();
    let options = scene.options.clone();
    let mut connecting = Box::pin(NatsBus::connect(options));
    tokio::time::timeout(Duration::from_millis(300), connecting.as_mut())
        .await
        .expect_err("no server is there");
    scene.server.start_again();
    assert!(soon(connecting).await.expect("connected").is_connected());
}
