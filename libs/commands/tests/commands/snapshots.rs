//! Builds that are long enough to be worth a snapshot.

use crate::{scene::*, store::TroubledStore};
use async_trait::async_trait;
use buildwright_commands::{Builds, Snapshotting, Writers};
use domain::build::Build;
use ports::{Position, Snapshot, Snapshots, StoreError, StreamId, Version};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};
use store_sqlite::SqliteStore;

/// A process that makes a snapshot every so many events and remembers nothing.
fn process(scene: &Scene, every: usize) -> Builds {
    over(&scene.store, Arc::new(scene.store.inner.clone()), every)
}

fn over(store: &Arc<TroubledStore>, snapshots: Arc<dyn Snapshots>, every: usize) -> Builds {
    let every = NonZeroUsize::new(every).unwrap();
    let snapshotting = Snapshotting::new(snapshots, every);
    Builds::with_snapshots(Arc::clone(store) as _, Arc::new(Noon), Writers::Several, 100, snapshotting)
}

/// A build of 40 tasks, all started and finished.
async fn carry_out(builds: &Builds) -> Version {
    let tell = async |command| builds.execute(build(1), "tester".into(), command).await.unwrap().version;
    tell(submit(chain(40))).await;
    for task in 0..40 {
        tell(start(task)).await;
        tell(finish(task)).await;
    }
    tell(cancel()).await
}

async fn saved(store: &SqliteStore) -> Option<Snapshot> {
    store.load_snapshot(StreamId::Build(build(1))).await.unwrap()
}

async fn wait_for_snapshot(store: &SqliteStore) -> Snapshot {
    let found = async {
        loop {
            match saved(store).await {
                Some(snapshot) => return snapshot,
                None => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    };
    soon(found).await
}

async fn seen(builds: &Builds) -> (Version, Build) {
    builds.read(build(1), |loaded| (loaded.version, loaded.build.clone())).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_long_build_is_loaded_from_its_snapshot_and_what_came_after() {
    let scene = Scene::with(Writers::Several, 100).await;
    let last = carry_out(&process(&scene, 50)).await;
    wait_for_snapshot(&scene.store.inner).await;
    let whole = fold(&scene.stream(build(1)).await);

    let scene = scene.restarted().await;
    let snapshot = saved(&scene.store.inner).await.expect("still there");
    assert!(snapshot.version >= Version(50), "{}", snapshot.version);
    assert_eq!(seen(&process(&scene, 50)).await, (last, whole));
    let after = last.0 - snapshot.version.0;
    assert_eq!(scene.store.events_read() as u64, 50 + 1 + after, "what tells that it is long, and the rest");
}

#[tokio::test]
async fn from_whatever_event_a_snapshot_is_the_build_is_the_same() {
    let scene = Scene::with(Writers::Several, 100).await;
    let last = carry_out(&scene.builds).await;
    let stream = scene.stream(build(1)).await;
    let whole = fold(&stream);
    for (event, so_far) in stream.iter().zip(1..) {
        let snapshot = Snapshot {
            version: event.version,
            position: event.position,
            schema_version: Build::SNAPSHOT_VERSION,
            state: fold(&stream[..so_far]).snapshot().unwrap(),
        };
        scene.store.inner.save_snapshot(event.stream, snapshot).await.unwrap();
        for every in [1, 7] {
            // Nothing is saved that would be in the way of the next.
            let builds = over(&scene.store, Arc::new(ReadOnly(scene.store.inner.clone())), every);
            assert_eq!(seen(&builds).await, (last, whole.clone()), "from {}", event.version);
        }
    }
}

#[tokio::test]
async fn a_snapshot_of_which_anything_is_wrong_is_ignored() {
    let scene = Scene::with(Writers::Several, 100).await;
    let last = carry_out(&scene.builds).await;
    let stream = scene.stream(build(1)).await;
    let whole = fold(&stream);
    let right = Snapshot {
        version: Version(60),
        position: stream[59].position,
        schema_version: Build::SNAPSHOT_VERSION,
        state: Build::default().snapshot().unwrap(),
    };
    let wrong = [
        Snapshot { state: right.state[..right.state.len() / 2].to_owned(), ..right.clone() },
        Snapshot { state: String::new(), ..right.clone() },
        Snapshot { schema_version: Build::SNAPSHOT_VERSION + 1, ..right.clone() },
        Snapshot { position: Position(right.position.0 + 1), ..right.clone() },
        Snapshot { version: Version(0), ..right.clone() },
        Snapshot { version: Version(last.0 + 1), ..right.clone() },
        Snapshot { version: Version(1 << 40), ..right.clone() },
    ];
    for snapshot in wrong {
        let fixed = Arc::new(Fixed(Ok(snapshot.clone())));
        assert_eq!(seen(&over(&scene.store, fixed, 10)).await, (last, whole.clone()), "{snapshot:?}");
    }
    // The lie in it is believed if nothing else is wrong: so it was looked at.
    let believed = seen(&over(&scene.store, Arc::new(Fixed(Ok(right))), 10)).await;
    assert_ne!(believed.1, whole);
    let unreachable = over(&scene.store, Arc::new(Fixed(Err(()))), 10);
    assert_eq!(seen(&unreachable).await, (last, whole));
}

#[tokio::test]
async fn a_build_as_it_was_is_folded_from_its_events_whatever_a_snapshot_says() {
    let scene = Scene::with(Writers::Several, 100).await;
    carry_out(&scene.builds).await;
    let stream = scene.stream(build(1)).await;
    let lie = Snapshot {
        version: Version(60),
        position: stream[59].position,
        schema_version: Build::SNAPSHOT_VERSION,
        state: Build::default().snapshot().unwrap(),
    };
    let builds = over(&scene.store, Arc::new(Fixed(Ok(lie))), 10);
    for version in [1, 59, 60, 61, stream.len()] {
        let then = builds.at(build(1), Version(version as u64)).await.unwrap().unwrap();
        assert_eq!((then.build, then.position), (fold(&stream[..version]), stream[version - 1].position));
    }
}

/// Commands are answered although not one snapshot is ever saved; and there is never more than one under way.
#[tokio::test]
async fn no_command_waits_for_a_snapshot() {
    let scene = Scene::with(Writers::Several, 100).await;
    let stuck = Arc::new(Stuck::default());
    let builds = over(&scene.store, Arc::clone(&stuck) as _, 10);
    let last = soon(carry_out(&builds)).await;
    assert_eq!(seen(&builds).await.0, last);
    assert_eq!(stuck.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// Snapshots that are only read.
struct ReadOnly(SqliteStore);

#[async_trait]
impl Snapshots for ReadOnly {
    async fn load_snapshot(&self, stream: StreamId) -> Result<Option<Snapshot>, StoreError> {
        self.0.load_snapshot(stream).await
    }

    async fn save_snapshot(&self, _: StreamId, _: Snapshot) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
}

/// One that is there, or cannot be read.
struct Fixed(Result<Snapshot, ()>);

#[async_trait]
impl Snapshots for Fixed {
    async fn load_snapshot(&self, _: StreamId) -> Result<Option<Snapshot>, StoreError> {
        self.0.clone().map(Some).map_err(|()| StoreError::Closed)
    }

    async fn save_snapshot(&self, _: StreamId, _: Snapshot) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
}

/// Saving takes for ever; counts how often it was begun.
#[derive(Default)]
struct Stuck(std::sync::atomic::AtomicUsize);

#[async_trait]
impl Snapshots for Stuck {
    async fn load_snapshot(&self, _: StreamId) -> Result<Option<Snapshot>, StoreError> {
        Ok(None)
    }

    async fn save_snapshot(&self, _: StreamId, _: Snapshot) -> Result<(), StoreError> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::future::pending().await
    }
}
