//! Artifacts that outlive their server: whoever stores one keeps a copy, and puts it again when the server lost
//! its data.
//!
//! What this is for: builds in flight. A server that comes back with nothing has forgotten the results of tasks
//! that are done; the executors that stored them have them still. As soon as one of these sees buckets that
//! were made at another time than the ones it remembers (in a file: it may have been down meanwhile), it puts
//! all its copies again.
//!
//! - The store stays the only truth: a copy is never handed out, only put again, and the first of a key stays.
//! - A copy is kept of what was stored first, or is the same as what was. So no two machines keep different
//!   copies of one key, unless one was away while a loss was made good without it: its copy then goes.
//! - For a while after a loss "not found" is not believed, because others may still be putting theirs. It is
//!   also asked whether there was a loss before it is believed at all.
//! - What is numbered (the last part of the key) is a line, in which each builds on the one before. Lines are
//!   put again last and in order, and nothing after a number that was given away meanwhile.
//!
//! What it cannot do: bring back what only machines stored that are gone with their disks, or whose copies have
//! aged or been pushed out. If that is the beginning of a line, a machine that never read it sees none. A machine
//! whose first sight of the server is after the loss has nothing to know it by, and believes at once. To keep the
//! history of projects through the loss of a server, back it up, or keep artifacts elsewhere.

mod copies;
mod restoring;

use crate::{NatsArtifacts, artifacts::BucketsMade};
use async_trait::async_trait;
use copies::Copies;
use ports::{ArtifactError, ArtifactKey, ArtifactStore, Clock};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Bounds of what [`KeptArtifacts`] keeps, and of how it restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyBounds {
    /// How long copies of what builds stored are kept: longer than a build takes. Those of what projects stored
    /// do not age, as in the store itself.
    pub age: Duration,
    /// Most bytes of copies; the oldest go first, numbered ones last.
    pub bytes: u64,
    /// Up to this size, what is fetched is kept too: records that all agree on are small.
    pub fetched_bytes: u64,
    /// How long after a loss "not found" is not believed.
    pub settling: Duration,
    /// How many are put again at once.
    pub at_once: usize,
    /// How often copies are looked through for ones that are too old.
    pub tidy_every: Duration,
}

impl Default for CopyBounds {
    /// 24 h, 10 GiB, 16 KiB, 20 s, 4, every minute.
    fn default() -> Self {
        Self {
            age: Duration::from_hours(24),
            bytes: 10 << 30,
            fetched_bytes: 16 << 10,
            settling: Duration::from_secs(20),
            at_once: 4,
            tidy_every: Duration::from_mins(1),
        }
    }
}

/// Between two looks for what others are putting again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Artifacts in the NATS object store, with copies on this machine's disk. Clones are the same.
#[derive(Clone)]
pub struct KeptArtifacts {
    inner: Arc<Inner>,
}

struct Inner {
    store: NatsArtifacts,
    copies: Copies,
    bounds: CopyBounds,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// A copy may have come too late for the last restoration.
    late: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The buckets as last seen.
    made: Option<BucketsMade>,
    /// How often they were seen to be others.
    losses: u64,
    /// Until when "not found" is not believed.
    settled_at: Option<Instant>,
    /// While we are not done, it is not either.
    restoring: bool,
}

impl std::fmt::Debug for KeptArtifacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptArtifacts").field("bounds", &self.inner.bounds).finish_non_exhaustive()
    }
}

impl KeptArtifacts {
    /// A store with copies in a folder, which is made if need be and must be nobody else's. Nothing is put
    /// again, and nothing goes, unless [`KeptArtifacts::run`] runs.
    ///
    /// # Errors
    /// If the folder cannot be used.
    pub async fn open(
        store: NatsArtifacts,
        folder: PathBuf,
        bounds: CopyBounds,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let copies = Copies::open(folder).await?;
        let mut made = copies.remembered().await;
        // A folder without copies owes nothing to the buckets that are there now. If they cannot be seen yet,
        // `run` takes note of them.
        if made.is_none()
            && copies.all().await?.is_empty()
            && let Ok(now) = store.made().await
        {
            copies.remember(now).await?;
            made = Some(now);
        }
        let state = Mutex::new(State { made, ..State::default() });
        let late = Notify::new();
        Ok(Self { inner: Arc::new(Inner { store, copies, bounds, clock, state, late }) })
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks when the buckets were made, and takes note of it.
    async fn look(&self) -> Result<BucketsMade, ArtifactError> {
        let made = self.store.made().await?;
        let mut state = self.state();
        if state.made.replace(made).is_some_and(|before| before != made) {
            state.losses += 1;
            state.settled_at = Some(Instant::now() + self.bounds.settling);
            tracing::warn!("the server lost its artifacts: what was stored from here is put again");
        }
        Ok(made)
    }

    /// Whether others, or we, may still be putting again what is not there.
    async fn may_come_again(&self) -> Result<bool, ArtifactError> {
        // Others may have made the buckets anew before we heard of any loss.
        self.look().await?;
        let state = self.state();
        Ok(state.restoring || state.settled_at.is_some_and(|at| Instant::now() < at))
    }

    /// That there is no copy is for the operator to know: the artifact is stored.
    async fn keep(&self, key: &ArtifactKey, from: &Path) {
        let kept = match self.copies.keep(key, from).await {
            Ok(bytes) if bytes > self.bounds.bytes => self.tidy().await,
            other => other.map(drop),
        };
        if let Err(error) = kept {
            tracing::warn!(%key, %error, "an artifact has no copy here");
        }
    }

    async fn tidy(&self) -> io::Result<()> {
        self.copies.tidy(self.clock.now().into(), self.bounds.age, self.bounds.bytes).await
    }
}

#[async_trait]
impl ArtifactStore for KeptArtifacts {
    async fn put(&self, key: &ArtifactKey, from: &Path) -> Result<bool, ArtifactError> {
        let inner = &self.inner;
        let losses = inner.state().losses;
        let first = inner.store.put(key, from).await?;
        if first || matches!(inner.store.holds(key, from).await, Ok(true)) {
            inner.keep(key, from).await;
        }
        if inner.state().losses != losses {
            inner.late.notify_one();
        }
        Ok(first)
    }

    async fn get(&self, key: &ArtifactKey, to: &Path) -> Result<(), ArtifactError> {
        let inner = &self.inner;
        loop {
            match inner.store.get(key, to).await {
                Err(ArtifactError::NotFound(_)) if inner.may_come_again().await? => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Ok(()) => break,
                other => return other,
            }
        }
        if tokio::fs::metadata(to).await.is_ok_and(|file| file.len() <= inner.bounds.fetched_bytes) {
            inner.keep(key, to).await;
        }
        Ok(())
    }

    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError> {
        self.inner.copies.remove_all(prefix).await?;
        self.inner.store.remove_all(prefix).await
    }
}
