//! When a build is worth a snapshot, and saving it while nobody waits for that.

use crate::Loaded;
use domain::{BuildId, build::Build};
use ports::{Position, Snapshot, Snapshots, StreamId, Version};
use std::{num::NonZeroUsize, sync::Arc};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Snapshots that one process writes at a time. They are for later; commands are for now.
const AT_ONCE: usize = 1;

/// Where snapshots of long builds are kept, and how often one is made.
#[derive(Clone)]
pub struct Snapshotting {
    pub(crate) store: Arc<dyn Snapshots>,
    pub(crate) every: NonZeroUsize,
    turns: Arc<Semaphore>,
}

impl Snapshotting {
    /// A snapshot whenever at least so many events were folded since the last.
    #[must_use]
    pub fn new(store: Arc<dyn Snapshots>, every: NonZeroUsize) -> Self {
        Self { store, every, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The stream's snapshot. That it cannot be had is no reason to fail: there are the events.
    pub(crate) async fn find(&self, stream: StreamId) -> Option<Snapshot> {
        self.store.load_snapshot(stream).await.unwrap_or_else(|error| {
            tracing::warn!(build.id = %stream, %error, "a snapshot could not be read");
            None
        })
    }

    /// Saves a snapshot in the background if it is time for one. If that fails it is not tried again before as many
    /// events more.
    pub(crate) fn consider(&self, id: BuildId, loaded: &mut Loaded) {
        if !self.is_due(loaded) {
            return;
        }
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else { return };
        loaded.saved = loaded.version;
        let (store, build) = (Arc::clone(&self.store), loaded.build.clone());
        let (version, position) = (loaded.version, loaded.position);
        tokio::spawn(async move {
            save(&*store, id, version, position, build).await;
            drop(turn);
        });
    }

    /// A snapshot is as large as the build has tasks; so that writing them stays a small part of all writing, there
    /// are only so many in a build's life, however large it is.
    fn is_due(&self, loaded: &Loaded) -> bool {
        let since = loaded.version.0.saturating_sub(loaded.saved.0);
        since >= self.every.get().max(loaded.build.tasks.len() / 2) as u64
    }
}

async fn save(store: &dyn Snapshots, id: BuildId, version: Version, position: Position, build: Build) {
    let state = match spawn_blocking(move || build.snapshot()).await {
        Ok(Ok(state)) => state,
        Ok(Err(error)) => return tracing::error!(build.id = %id, %error, "a build cannot be written"),
        Err(error) => return tracing::error!(build.id = %id, %error, "writing a build panicked"),
    };
    let bytes = state.len();
    let snapshot = Snapshot { version, position, schema_version: Build::SNAPSHOT_VERSION, state };
    match store.save_snapshot(StreamId::Build(id), snapshot).await {
        Ok(()) => tracing::debug!(build.id = %id, %version, bytes, "snapshot saved"),
        Err(error) => tracing::warn!(build.id = %id, %version, %error, "a snapshot was not saved"),
    }
}
