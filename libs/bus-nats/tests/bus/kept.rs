//! The server loses all artifacts, and machines that stored them put them again.

use crate::scene::Scene;
use buildwright_bus_nats::{CopyBounds, KeptArtifacts, NatsArtifacts, NatsBus};
use chrono::{DateTime, Utc};
use ports::{ArtifactError, ArtifactKey, ArtifactStore, Clock};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use testkit::bus::{noon, soon};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

struct Always(DateTime<Utc>);

impl Clock for Always {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// An executor's disk.
pub(crate) struct Machine {
    folder: TempDir,
    bounds: CopyBounds,
    now: DateTime<Utc>,
}

/// A process on it.
pub(crate) struct Process {
    pub(crate) store: KeptArtifacts,
    bus: NatsBus,
    running: JoinHandle<()>,
    stop: CancellationToken,
    scratch: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), bounds: CopyBounds::default(), now: noon() }
    }

    /// Of one that believes "not found" so long after a loss.
    fn settling_in(settling: Duration) -> Self {
        Self { bounds: CopyBounds { settling, ..CopyBounds::default() }, ..Self::new() }
    }

    pub(crate) async fn start(self, scene: &Scene) -> MachineAtWork {
        let process = self.begin(scene).await;
        MachineAtWork { store: process.store.clone(), process, machine: self }
    }

    async fn begin(&self, scene: &Scene) -> Process {
        let bus = scene.bus().await;
        let (store, clock) = (NatsArtifacts::new(&bus), Arc::new(Always(self.now)));
        let store = KeptArtifacts::open(store, self.folder.path().to_owned(), self.bounds, clock).await;
        let (store, stop) = (store.expect("opened"), CancellationToken::new());
        let running = tokio::spawn(store.clone().run(stop.clone()));
        // It knows which server it has when it has noted it.
        let noted = self.folder.path().join("~made.json");
        soon(async {
            while !noted.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        Process { store, bus, running, stop, scratch: tempfile::tempdir().expect("a folder") }
    }

    fn copy(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A machine and the process on it.
pub(crate) struct MachineAtWork {
    pub(crate) store: KeptArtifacts,
    process: Process,
    machine: Machine,
}

impl MachineAtWork {
    async fn put(&self, name: &str, content: &str) -> bool {
        let from = self.process.scratch.path().join("from");
        fs::write(&from, content).expect("written");
        soon(self.store.put(&key(name), &from)).await.expect("stored")
    }

    async fn get(&self, name: &str) -> Result<String, ArtifactError> {
        let to = self.process.scratch.path().join("to");
        let got = soon(self.store.get(&key(name), &to)).await;
        let content = fs::read_to_string(&to).unwrap_or_default();
        let _ = fs::remove_file(&to);
        got.map(|()| content)
    }

    async fn is_missing(&self, name: &str) -> bool {
        matches!(self.get(name).await, Err(ArtifactError::NotFound(_)))
    }

    /// The process ends.
    async fn end(self) -> Machine {
        self.process.stop.cancel();
        soon(self.process.running).await.expect("ended");
        soon(self.process.bus.close()).await;
        self.machine
    }

    async fn until_gone(&self, copy: &str) {
        soon(async {
            while self.machine.copy(copy).exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

fn key(text: &str) -> ArtifactKey {
    text.to_owned().try_into().expect("a key")
}

fn lose_everything(scene: &mut Scene) {
    scene.server.kill();
    scene.server.wipe_data();
    scene.server.start_again();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_machine_stored_is_there_again_after_the_server_lost_everything() {
    let mut scene = Scene::new();
    let (one, two) = (Machine::new().start(&scene).await, Machine::new().start(&scene).await);
    let large = "large ".repeat(100_000);
    let stored =
        [("builds/b/base", "base"), ("builds/b/task-1-1.bundle", &large), ("projects/p/heads/1", "1")];
    for round in 1..=2 {
        for (name, content) in stored {
            assert_eq!(one.put(name, content).await, round == 1, "{name}");
        }
        lose_everything(&mut scene);
        for (name, content) in stored {
            assert!(two.get(name).await.expect("it is there again") == content, "{name} in round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_machine_that_was_down_meanwhile_finds_out_when_it_is_back() {
    let mut scene = Scene::new();
    let (one, two) = (Machine::new().start(&scene).await, Machine::new().start(&scene).await);
    assert!(one.put("builds/b/task-1-1.bundle", "result").await);
    let one = one.end().await;
    lose_everything(&mut scene);
    let _one = one.start(&scene).await;
    assert_eq!(two.get("builds/b/task-1-1.bundle").await.expect("it is there again"), "result");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_small_outlives_the_machine_that_stored_it() {
    let mut scene = Scene::new();
    let (one, two) = (Machine::new().start(&scene).await, Machine::new().start(&scene).await);
    assert!(one.put("builds/b/base", "base").await);
    assert_eq!(two.get("builds/b/base").await.expect("fetched"), "base");
    one.end().await;
    lose_everything(&mut scene);
    assert_eq!(two.get("builds/b/base").await.expect("it is there again"), "base");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_loss_what_is_not_there_is_not_waited_for() {
    let mut scene = Scene::new();
    let one = Machine::settling_in(Duration::from_hours(1)).start(&scene).await;
    assert!(one.is_missing("builds/b/base").await, "of a new server");
    scene.server.stop();
    scene.server.start_again();
    // Until it is connected again, nothing is known.
    soon(async { while !one.is_missing("builds/b/base").await {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_nobody_puts_again_is_missing_in_the_end() {
    let mut scene = Scene::new();
    let one = Machine::settling_in(Duration::from_millis(300)).start(&scene).await;
    assert!(one.put("builds/b/base", "base").await);
    lose_everything(&mut scene);
    assert_eq!(one.get("builds/b/base").await.expect("it is there again"), "base");
    assert!(one.is_missing("builds/b/other").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_comes_back_too_late_gives_up_its_line() {
    let mut scene = Scene::new();
    let one = Machine::new().start(&scene).await;
    for number in [1, 2, 3] {
        assert!(one.put(&format!("projects/p/heads/{number}"), "ours").await);
    }
    assert!(one.put("projects/p/commits/c.bundle", "ours").await);
    let one = one.end().await;
    // The others could not wait.
    lose_everything(&mut scene);
    let two = Machine::new().start(&scene).await;
    assert!(two.put("projects/p/heads/1", "ours").await);
    assert!(two.put("projects/p/heads/2", "theirs").await);
    let one = one.start(&scene).await;
    one.until_gone("projects/p/heads/2").await;
    one.until_gone("projects/p/heads/3").await;
    assert_eq!(one.get("projects/p/heads/2").await.expect("there"), "theirs");
    assert_eq!(two.get("projects/p/commits/c.bundle").await.expect("it is there again"), "ours");
    assert!(two.is_missing("projects/p/heads/3").await, "it would not contain the one before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_are_kept_only_of_what_was_first() {
    let scene = Scene::new();
    let (one, two) = (Machine::new().start(&scene).await, Machine::new().start(&scene).await);
    assert!(one.put("builds/b/base", "first").await);
    assert!(!two.put("builds/b/base", "second").await);
    assert!(one.machine.copy("builds/b/base").exists());
    assert!(!two.machine.copy("builds/b/base").exists());
    assert!(!two.put("builds/b/base", "first").await);
    assert!(two.machine.copy("builds/b/base").exists(), "it is the same");
    one.store.remove_all(&key("builds/b")).await.expect("removed");
    assert!(!one.machine.copy("builds/b/base").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_take_a_bounded_room_and_the_oldest_go_first() {
    let scene = Scene::new();
    let bounds = CopyBounds { bytes: 3_500, ..CopyBounds::default() };
    let one = Machine { bounds, ..Machine::new() }.start(&scene).await;
    let content = "x".repeat(1_000);
    assert!(one.put("projects/p/heads/1", "1").await);
    for number in 1..=5 {
        assert!(one.put(&format!("builds/b/task-{number}"), &content).await);
    }
    let there = |number: &u32| one.machine.copy(&format!("builds/b/task-{number}")).exists();
    assert_eq!((1..=5).filter(there).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(one.machine.copy("projects/p/heads/1").exists(), "a line is kept to the last");
    assert_eq!(one.get("builds/b/task-1").await.expect("the store has it"), content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_of_builds_age_and_those_of_projects_do_not() {
    let scene = Scene::new();
    let one = Machine::new().start(&scene).await;
    for name in ["builds/b/base", "projects/p/heads/1"] {
        assert!(one.put(name, "x").await);
    }
    let one = one.end().await;
    let later = Machine { now: "2100-01-01T00:00:00Z".parse().expect("a time"), ..one };
    let one = later.start(&scene).await;
    one.until_gone("builds").await;
    assert!(one.machine.copy("projects/p/heads/1").exists());
    assert_eq!(one.get("builds/b/base").await.expect("the store has it"), "x");
}
