//! How a command reaches an aggregate: load, decide, append, and once more if somebody else was faster.
//!
//! [`Builds`] keeps recently used builds folded in memory. Commands that arrive for one build while an append
//! is under way are decided together and stored by the next append, so that a build of thousands of tasks is
//! not limited to one command a disk flush.
//!
//! | file | what |
//! |---|---|
//! | `mailbox` | the commands that wait for one build |
//! | `decided` | what they lead to, before it is stored |
//! | `loading` | how a build gets into memory |
//! | `snapshots` | how a long one gets there sooner |
//! | `cache` | recently used builds |
//! | `pauses` | how those who want the same build make room for each other |

mod cache;
mod decided;
mod loading;
mod mailbox;
mod pauses;
mod snapshots;

pub use snapshots::Snapshotting;

use cache::Cache;
use domain::{
    BuildId,
    build::{Build, Command, Rejection},
};
use mailbox::Mailbox;
use pauses::Pauses;
use ports::{Clock, EventStore, Position, RecordedEvent, StoreError, Version};
use std::sync::Arc;

/// Whether other processes write to the same store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// None: what is folded in memory is up to date.
    OnlyThis,
    /// Some. A command is decided on what is known: the append proves that it was up to date, or shows what was
    /// missed. Before a command is refused or answered without an append, and before a build is looked at, its
    /// stream is read on.
    Several,
}

/// What a command led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// The version of the stream after it.
    pub version: Version,
    /// The position of the stream's last event then. A read model that has come so far shows the command.
    pub position: Position,
}

/// The versions of a build at which a command may change it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Any.
    #[default]
    Any,
    /// One of these.
    OneOf(Vec<Version>),
}

impl Expected {
    /// Whether a version is one of them.
    #[must_use]
    pub fn holds(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

/// Why a command had no effect.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// The aggregate refused it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The build is not at the version that was expected.
    #[error("the build is at another version than expected")]
    Outdated,
    /// The store failed.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Others kept changing the build; nothing was stored.
    #[error("the build is being changed by others, try again")]
    Contended,
}

impl From<StoreError> for ExecuteError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// A build as it was at one version; by default, before its first event.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The fold of its events.
    pub build: Build,
    /// Of how many.
    pub version: Version,
    /// The position of the last of them.
    pub position: Position,
    /// How many of them a snapshot stands for that was saved or is being saved.
    saved: Version,
}

/// The builds.
pub struct Builds {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    writers: Writers,
    cache: Cache,
    snapshotting: Option<Snapshotting>,
    pauses: Pauses,
}

impl Builds {
    /// Builds over a store, keeping up to `cached` of them folded.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, clock: Arc<dyn Clock>, writers: Writers, cached: usize) -> Self {
        Self::over(store, clock, writers, cached, None)
    }

    /// Like [`Builds::new`], with snapshots of long builds.
    #[must_use]
    pub fn with_snapshots(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        writers: Writers,
        cached: usize,
        snapshotting: Snapshotting,
    ) -> Self {
        Self::over(store, clock, writers, cached, Some(snapshotting))
    }

    fn over(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        writers: Writers,
        cached: usize,
        snapshotting: Option<Snapshotting>,
    ) -> Self {
        let (cache, pauses) = (Cache::new(cached), Pauses::default());
        Self { inner: Arc::new(Inner { store, clock, writers, cache, snapshotting, pauses }) }
    }

    /// Carries a command out. It runs to its end even if the caller goes away.
    ///
    /// # Errors
    /// If it was refused or could not be stored.
    pub async fn execute(
        &self,
        id: BuildId,
        actor: Arc<str>,
        command: Command,
    ) -> Result<Executed, ExecuteError> {
        self.post(id, actor, command).await
    }

    /// Like [`Builds::execute`], but only if the build exists at an expected version when the command is decided.
    ///
    /// # Errors
    /// If it was refused, the build is at another version, or it could not be stored.
    pub async fn execute_at(
        &self,
        id: BuildId,
        actor: Arc<str>,
        command: Command,
        expected: Expected,
    ) -> Result<Executed, ExecuteError> {
        self.post_at(id, actor, command, expected).await
    }

    /// Like [`Builds::execute`], but the command has its place in the order of the build's commands as soon as
    /// this returns, before the answer is waited for.
    pub fn post(
        &self,
        id: BuildId,
        actor: Arc<str>,
        command: Command,
    ) -> impl Future<Output = Result<Executed, ExecuteError>> + Send + use<> {
        self.post_at(id, actor, command, Expected::Any)
    }

    fn post_at(
        &self,
        id: BuildId,
        actor: Arc<str>,
        command: Command,
        expected: Expected,
    ) -> impl Future<Output = Result<Executed, ExecuteError>> + Send + use<> {
        let mailbox = self.inner.cache.mailbox(id);
        let answer = mailbox.post(actor, command, expected);
        Mailbox::serve(mailbox, Arc::clone(&self.inner));
        // The serving task answers everything; if it died, what is stored is unknown to us.
        async move {
            answer
                .await
                .unwrap_or_else(|_| Err(StoreError::Unavailable("an append was interrupted".into()).into()))
        }
    }

    /// Looks at a build as it is now; `None` if there is none. Every command that was answered before is seen,
    /// whichever process answered it: with [`Writers::Several`] that costs a question to the store.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn read<R>(
        &self,
        id: BuildId,
        look: impl FnOnce(&Loaded) -> R + Send,
    ) -> Result<Option<R>, StoreError> {
        self.look(id, None, look).await
    }

    /// Like [`Builds::read`], but as the build was at some time at or after a version. If this process knows of
    /// that already, the store is not asked: what other processes did since may not be seen.
    ///
    /// For whoever acts on an event and can bear that another event has outdated it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn read_since<R>(
        &self,
        id: BuildId,
        version: Version,
        look: impl FnOnce(&Loaded) -> R + Send,
    ) -> Result<Option<R>, StoreError> {
        self.look(id, Some(version), look).await
    }

    /// Takes note of an event of the log. Told of all of them in their order, this process knows builds that others
    /// write to without asking for them. Never waits: a build that is in use is read on when it is needed.
    pub fn hear(&self, event: &RecordedEvent) {
        if self.inner.writers == Writers::OnlyThis {
            return;
        }
        let Some(build) = event.stream.build() else { return };
        let mailbox = match event.version {
            Version(1) => Some(self.inner.cache.mailbox(build)),
            _ => self.inner.cache.known(build),
        };
        if let Some(mailbox) = mailbox {
            mailbox.hear(event);
        }
    }

    async fn look<R>(
        &self,
        id: BuildId,
        enough: Option<Version>,
        look: impl FnOnce(&Loaded) -> R + Send,
    ) -> Result<Option<R>, StoreError> {
        let mailbox = self.inner.cache.mailbox(id);
        let mut held = mailbox.lock().await;
        let mut loaded = match held.take() {
            Some(loaded) if enough.is_some_and(|enough| loaded.version >= enough) => loaded,
            known => self.inner.current(id, known).await?,
        };
        if loaded.version == Version(0) {
            return Ok(None);
        }
        self.inner.consider_snapshot(id, &mut loaded);
        let seen = look(&loaded);
        *held = Some(loaded);
        Ok(Some(seen))
    }

    /// A build as it was at a version; `None` if it never had it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn at(&self, id: BuildId, version: Version) -> Result<Option<Loaded>, StoreError> {
        let loaded = self.inner.fold_up_to(id, version).await?;
        Ok((version > Version(0) && loaded.version == version).then_some(loaded))
    }
}

impl Inner {
    fn consider_snapshot(&self, id: BuildId, loaded: &mut Loaded) {
        if let Some(snapshotting) = &self.snapshotting {
            snapshotting.consider(id, loaded);
        }
    }
}
