//! The server's whole data directory is deleted, and everything goes on.

use crate::scene::{Scene, attempt, finished, order_for};
use buildwright_bus_nats::{NatsRoster, OutputBounds, RosterBounds};
use domain::build::Attempt;
use ports::{
    ArtifactKey, ArtifactStore, BreakerState, ExecutorName, ExecutorState, ExecutorStatus, OutcomeBus,
    OutputChunk, OutputLog, OutputStream, Roster, TaskQueue, WorkOrder,
};
use std::{path::Path, time::Duration};
use testkit::bus::{build, noon, soon, task};

/// Everything a fleet does, by connections that were there before.
struct Fleet {
    driver: buildwright_bus_nats::NatsQueue,
    executors: [buildwright_bus_nats::NatsQueue; 2],
    outcomes: [buildwright_bus_nats::NatsOutcomes; 2],
    output: [buildwright_bus_nats::NatsOutputLog; 2],
    roster: [NatsRoster; 2],
    artifacts: buildwright_bus_nats::NatsArtifacts,
}

impl Fleet {
    async fn of(scene: &Scene) -> Self {
        let bounds = OutputBounds::default();
        Self {
            driver: scene.queue().await,
            executors: [scene.executor("default", &[]).await, scene.executor("large", &["gpu"]).await],
            outcomes: [scene.outcomes().await, scene.outcomes().await],
            output: [scene.output(bounds).await, scene.output(bounds).await],
            roster: [
                NatsRoster::new(&scene.bus().await, RosterBounds::default()),
                NatsRoster::new(&scene.bus().await, RosterBounds::default()),
            ],
            artifacts: scene.nats_artifacts().await,
        }
    }

    async fn orders(&self, round: u32) {
        let orders = [order_for("default", &[], 1, round), order_for("large", &["gpu"], 1, round)];
        for (order, executor) in orders.into_iter().zip(&self.executors) {
            offer(&self.driver, &order).await;
            let lease = soon(executor.take()).await.expect("open");
            assert_eq!(*lease.order(), order);
            assert!(!lease.was_taken_before());
            lease.settle().await;
            assert!(!soon(self.driver.has(&order)).await.expect("told"));
        }
    }

    async fn reports(&self, round: u32) {
        let [driver, executor] = &self.outcomes;
        let confirmation = soon(executor.report(finished(1, round))).await.expect("taken");
        let received = soon(driver.reports(10)).await.expect("open");
        assert_eq!(received.iter().map(attempt).collect::<Vec<_>>(), [round]);
        for received in received {
            received.receipt.confirm().await;
        }
        assert!(soon(confirmation.granted()).await);
    }

    async fn lines(&self, round: u32) {
        let [executor, reader] = &self.output;
        let text = format!("line {round}");
        let lines = vec![(OutputStream::Stdout, noon(), text.clone())];
        executor.write(OutputChunk { build: build(1), work: task(round), attempt: Attempt(1), lines }).await;
        let lines = soon(reader.read(build(1), task(round), 0, 10)).await.expect("readable");
        assert_eq!(lines.last().map(|line| &*line.text), Some(&*text));
    }

    async fn roster(&self, round: u32) {
        let [executor, asking] = &self.roster;
        let status = ExecutorStatus {
            name: ExecutorName("one".into()),
            version: round.to_string(),
            pool: Default::default(),
            labels: Vec::new(),
            slots: 1,
            running: Vec::new(),
            state: ExecutorState::Working,
            breaker: BreakerState::Closed,
            started_at: noon(),
            seen_at: noon(),
        };
        executor.announce(&status).await;
        soon(async {
            while asking.executors().await.expect("told") != [status.clone()] {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    async fn bundles(&self, round: u32, folder: &Path) {
        let (from, to) = (folder.join("from"), folder.join(format!("to-{round}")));
        std::fs::write(&from, round.to_string()).expect("written");
        let key: ArtifactKey = format!("projects/shop/{round}").try_into().expect("a key");
        assert!(soon(self.artifacts.put(&key, &from)).await.expect("stored"));
        soon(self.artifacts.get(&key, &to)).await.expect("fetched");
    }
}

/// Offers until the bus takes it, as the driver does.
async fn offer(queue: &dyn TaskQueue, order: &WorkOrder) {
    soon(async {
        while queue.offer(order.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_all_data_deleted_in_the_middle_everything_works_again_by_itself() {
    let mut scene = Scene::new();
    let folder = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::of(&scene).await;
    for round in 1..=3 {
        if round > 1 {
            // Waiting orders are lost with the data.
            offer(&fleet.driver, &order_for("large", &["arm64"], 2, round)).await;
            scene.server.kill();
            scene.server.wipe_data();
            scene.server.start_again();
        }
        fleet.orders(round).await;
        fleet.reports(round).await;
        fleet.lines(round).await;
        fleet.roster(round).await;
        fleet.bundles(round, folder.path()).await;
        let lost = order_for("large", &["arm64"], 2, round);
        assert!(!soon(fleet.driver.has(&lost)).await.expect("told"), "it was lost, and can be seen to be");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_projects_keep_does_not_age() {
    let mut scene = Scene::new();
    scene.options.artifacts_age = Duration::from_secs(1);
    let store = scene.nats_artifacts().await;
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    std::fs::write(&from, "content").expect("written");
    let key = |text: &str| ArtifactKey::try_from(text.to_owned()).expect("a key");
    for name in ["projects/shop/head", "projects/shop/tail", "builds/b/plan"] {
        assert!(store.put(&key(name), &from).await.expect("stored"));
    }
    let mut tries = 0;
    soon(async {
        while store.get(&key("builds/b/plan"), &folder.path().join(format!("try-{tries}"))).await.is_ok() {
            tries += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    store.get(&key("projects/shop/head"), &folder.path().join("head")).await.expect("still there");
    // It goes when somebody says so.
    store.remove_all(&key("projects/shop/head")).await.expect("removed");
    store.get(&key("projects/shop/head"), &folder.path().join("gone")).await.expect_err("removed");
    store.get(&key("projects/shop/tail"), &folder.path().join("tail")).await.expect("still there");
    store.remove_all(&key("projects")).await.expect("removed");
    store.get(&key("projects/shop/tail"), &folder.path().join("gone")).await.expect_err("removed");
}
