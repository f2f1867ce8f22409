//! A courier that is killed in the middle of its work, again and again.
//!
//! The process is this test's own binary, told to run the one test that is a courier and nothing else.

use crate::{
    receiver::{Behaviour, Receiver},
    scene::{Scene, event_id, spec, until},
};
use domain::{
    EndpointId,
    endpoint::{DeliveryOrder, EndpointSpec},
};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use ulid::Ulid;

const FOLDER: &str = "BUILDWRIGHT_TEST_COURIER_FOLDER";
/// How many events each endpoint gets. More take longer and say the same.
const EVENTS: &str = "BUILDWRIGHT_TEST_WEBHOOK_EVENTS";

#[expect(clippy::disallowed_methods, reason = "the edge of the test")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs only as the process that is killed.
#[tokio::test(flavor = "multi_thread")]
async fn courier_process() {
    let Some(folder) = environment(FOLDER) else { return };
    let mut scene = Scene::over(Path::new(&folder)).await;
    scene.start().await;
    std::future::pending::<()>().await;
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("a path"))
        .args(["killed::courier_process", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// Ends a process without warning when it goes out of scope, too.
struct Doomed(Child);

impl Doomed {
    fn kill(&mut self) {
        // SIGKILL.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn endpoints(scene: &Scene, healthy: &[Receiver], sick: &[Receiver]) {
    for (n, receiver) in (1_u8..).zip(healthy) {
        // Half of them one at a time, half of them one at a time of each build.
        let order = if n % 2 == 0 { DeliveryOrder::PerBuild } else { DeliveryOrder::Any };
        let concurrency = if n % 2 == 0 { 8 } else { 1 };
        scene.endpoint(n, EndpointSpec { order, concurrency, ..spec(receiver.url()) }).await;
    }
    for (n, receiver) in (100..).zip(sick) {
        scene.endpoint(n, EndpointSpec { timeout_seconds: 30, ..spec(receiver.url()) }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn six_of_ten_endpoints_get_everything_in_order_though_four_are_sick_and_the_process_is_killed_five_times()
 {
    const BUILDS: u64 = 10;
    let asked: u64 = environment(EVENTS).and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let each = asked / BUILDS;
    let folder = tempfile::tempdir().expect("a folder");
    let mut healthy = Vec::new();
    for _ in 0..6 {
        healthy.push(Receiver::begin(Behaviour::Answer(200, "")).await);
    }
    let sick = [
        Receiver::begin(Behaviour::Hang).await,
        Receiver::begin(Behaviour::After(Duration::from_secs(3), 200)).await,
        Receiver::begin(Behaviour::Answer(500, "")).await,
        Receiver::begin(Behaviour::Reset).await,
    ];
    {
        // Written before, by a process that is not killed: one at a time may write to the file.
        let scene = Scene::over(folder.path()).await;
        endpoints(&scene, &healthy, &sick).await;
        for part in 0..10 {
            for build in 1..=BUILDS {
                scene.happen(build, part * each / 10, each / 10).await;
            }
        }
        scene.store.close().await;
    }
    let fewest = || healthy.iter().map(Receiver::count).min().unwrap_or_default();
    let all = usize::try_from(BUILDS * (each / 10 * 10)).expect("a number");
    for kill in 1..=5 {
        let mut process = Doomed(start(folder.path()));
        until("it gets further", async || fewest() >= all * kill / 7).await;
        process.kill();
    }
    let _process = Doomed(start(folder.path()));
    for (n, receiver) in (1_u64..).zip(&healthy) {
        until("everything has come", async || receiver.distinct().len() == all).await;
        let got = receiver.distinct();
        for build in 1..=BUILDS {
            let of_build: Vec<String> =
                (1..=each / 10 * 10).map(|version| event_id(build, version)).collect();
            let begin = format!(
                "evt_{}_",
                testkit::stores::sample::build(build).to_string().trim_start_matches("bld_")
            );
            let came: Vec<&String> = got.iter().filter(|id| id.starts_with(&begin)).collect();
            assert_eq!(came, of_build.iter().collect::<Vec<_>>(), "at endpoint {n}");
        }
        // Whatever came twice is the same.
        let mut bodies = std::collections::HashMap::new();
        for request in receiver.requests() {
            let before = bodies.insert(request.id().to_owned(), request.body.clone());
            assert!(before.is_none_or(|before| before == request.body));
        }
        println!("endpoint {n}: {} requests for {all} events", receiver.count());
    }
    println!("sick ones got {:?} requests", sick.iter().map(Receiver::count).collect::<Vec<_>>());
    drop(_process);
    let scene = Scene::over(folder.path()).await;
    let rows = scene.deliveries(EndpointId::new(Ulid(1))).await;
    assert!(!rows.is_empty());
}
