//! Which executors there are.

use crate::scene::Scene;
use buildwright_bus_nats::{NatsRoster, RosterBounds};
use ports::{BreakerState, BusError, ExecutorName, ExecutorState, ExecutorStatus, Roster};
use std::time::Duration;
use testkit::bus::{noon, soon};

fn executor(name: &str) -> ExecutorStatus {
    ExecutorStatus {
        name: ExecutorName(name.into()),
        version: "1.2.3".to_owned(),
        pool: Default::default(),
        labels: vec!["gpu".parse().expect("a label")],
        slots: 4,
        running: Vec::new(),
        state: ExecutorState::Working,
        breaker: BreakerState::Closed,
        started_at: noon(),
        seen_at: noon(),
    }
}

async fn roster(scene: &Scene) -> NatsRoster {
    NatsRoster::new(&scene.bus().await, RosterBounds::default())
}

async fn names(roster: &dyn Roster) -> Vec<String> {
    let executors = soon(roster.executors()).await.expect("told");
    executors.into_iter().map(|status| status.name.to_string()).collect()
}

/// Until the list is this, and no longer than that takes.
async fn until(roster: &dyn Roster, expected: &[&str]) {
    soon(async {
        loop {
            let listed = roster.executors().await.unwrap_or_default();
            if listed.iter().map(|status| &*status.name.0).eq(expected.iter().copied()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_asks_first_after_long_hears_of_all_who_announced_themselves_before() {
    let scene = Scene::new();
    let executors = [roster(&scene).await, roster(&scene).await];
    for (roster, name) in executors.iter().zip(["b", "a name of its own. *"]) {
        roster.announce(&executor(name)).await;
    }
    let asking = roster(&scene).await;
    until(&asking, &["a name of its own. *", "b"]).await;
    let listed = soon(asking.executors()).await.expect("told");
    assert_eq!(listed[1], executor("b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_executor_says_last_counts_and_who_leaves_is_gone() {
    let scene = Scene::new();
    let (one, asking) = (roster(&scene).await, roster(&scene).await);
    assert_eq!(names(&asking).await, [""; 0]);
    one.announce(&executor("one")).await;
    until(&asking, &["one"]).await;
    let draining = ExecutorStatus { state: ExecutorState::Draining, ..executor("one") };
    one.announce(&draining).await;
    soon(async {
        while asking.executors().await.expect("told") != [draining.clone()] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    one.leave(&draining.name).await;
    until(&asking, &[]).await;
    // It does not answer for itself any more either.
    assert_eq!(names(&roster(&scene).await).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_silent_is_taken_off_and_may_come_back() {
    let scene = Scene::new();
    let one = roster(&scene).await;
    let bounds = RosterBounds { expiry: Duration::from_secs(1), ..RosterBounds::default() };
    let asking = NatsRoster::new(&scene.bus().await, bounds);
    one.announce(&executor("one")).await;
    until(&asking, &["one"]).await;
    until(&asking, &[]).await;
    one.announce(&executor("one")).await;
    until(&asking, &["one"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nonsense_on_the_subjects_of_executors_is_ignored() {
    let scene = Scene::new();
    let (one, asking) = (roster(&scene).await, roster(&scene).await);
    until(&asking, &[]).await;
    let client = soon(Box::pin(async_nats::connect(scene.server.url()))).await.expect("connected");
    let say = async |subject: &'static str, body: Vec<u8>| {
        client.publish(subject, body.into()).await.expect("sent");
    };
    say("buildwright.roster.x", b"{\"name\":".to_vec()).await;
    say("buildwright.roster.x", vec![b' '; 900_000]).await;
    say("buildwright.roster.x", serde_json::to_vec(&executor("y")).expect("JSON")).await;
    say("buildwright.roster.gone", Vec::new()).await;
    client.flush().await.expect("sent");
    one.announce(&executor("one")).await;
    until(&asking, &["one"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_nats_nothing_can_be_said_and_afterwards_all_are_there_again() {
    let mut scene = Scene::new();
    let (one, asking) = (roster(&scene).await, roster(&scene).await);
    one.announce(&executor("one")).await;
    until(&asking, &["one"]).await;
    scene.server.kill();
    soon(async {
        while !matches!(asking.executors().await, Err(BusError::Unavailable(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // Said to nobody, and not said again but when asked.
    one.announce(&executor("one")).await;
    scene.server.start_again();
    until(&asking, &["one"]).await;
    // And for one that never heard of it before.
    until(&roster(&scene).await, &["one"]).await;
}
