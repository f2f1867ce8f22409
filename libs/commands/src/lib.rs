//! How a command reaches an aggregate: load, decide, append, and once more if somebody else was faster.
//!
//! [`Builds`] keeps recently used builds folded in memory. Commands that arrive for one build while an append
//! is under way are decided together and stored by the next append, so that a build of thousands of tasks is
//! not limited to one command a disk flush.

mod cache;
mod mailbox;

use cache::Cache;
use domain::{
    BuildId,
    build::{Build, Command, DecodeError, Rejection},
};
use mailbox::Mailbox;
use ports::{Clock, EventStore, Position, StoreError, StreamId, Version};
use std::sync::Arc;

/// Whether other processes write to the same store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// None: what is folded in memory is up to date.
    OnlyThis,
    /// Some: before a build is looked at or decided on, its stream is read on. A conflict would show what an
    /// append missed, but a command that is refused or changes nothing appends nothing.
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

/// Why a command had no effect.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// The aggregate refused it.
    #[error(transparent)]
    Rejected(#[from] Rejection),
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
}

impl Builds {
    /// Builds over a store, keeping up to `cached` of them folded.
    #[must_use]
    pub fn new(store: Arc<dyn EventStore>, clock: Arc<dyn Clock>, writers: Writers, cached: usize) -> Self {
        Self { inner: Arc::new(Inner { store, clock, writers, cache: Cache::new(cached) }) }
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

    /// Like [`Builds::execute`], but the command has its place in the order of the build's commands as soon as
    /// this returns, before the answer is waited for.
    pub fn post(
        &self,
        id: BuildId,
        actor: Arc<str>,
        command: Command,
    ) -> impl Future<Output = Result<Executed, ExecuteError>> + Send + use<> {
        let mailbox = self.inner.cache.mailbox(id);
        let answer = mailbox.post(actor, command);
        Mailbox::serve(mailbox, Arc::clone(&self.inner));
        // The serving task answers everything; if it died, what is stored is unknown to us.
        async move {
            answer
                .await
                .unwrap_or_else(|_| Err(StoreError::Unavailable("an append was interrupted".into()).into()))
        }
    }

    /// Looks at a build as it is now; `None` if there is none. Every command that was answered before is seen.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn read<R>(
        &self,
        id: BuildId,
        look: impl FnOnce(&Loaded) -> R + Send,
    ) -> Result<Option<R>, StoreError> {
        let mailbox = self.inner.cache.mailbox(id);
        let mut held = mailbox.lock().await;
        let loaded = self.inner.current(id, held.take()).await?;
        let seen = (loaded.version > Version(0)).then(|| look(&loaded));
        if seen.is_some() {
            *held = Some(loaded);
        }
        Ok(seen)
    }

    /// A build as it was at a version; `None` if it never had it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn at(&self, id: BuildId, version: Version) -> Result<Option<Loaded>, StoreError> {
        let loaded = self.inner.read_on(id, Loaded::default(), Some(version)).await?;
        Ok((version > Version(0) && loaded.version == version).then_some(loaded))
    }
}

impl Inner {
    /// A build as it is now, given what is known of it.
    async fn current(&self, id: BuildId, known: Option<Loaded>) -> Result<Loaded, StoreError> {
        match known {
            Some(loaded) if self.writers == Writers::OnlyThis => Ok(loaded),
            known => self.read_on(id, known.unwrap_or_default(), None).await,
        }
    }

    /// Folds the events after `from`, up to a version if one is given.
    async fn read_on(
        &self,
        id: BuildId,
        mut from: Loaded,
        upto: Option<Version>,
    ) -> Result<Loaded, StoreError> {
        const PAGE: usize = 1_000;
        loop {
            let page = self.store.read_stream(StreamId::Build(id), from.version, PAGE).await?;
            let full = page.len() == PAGE;
            for event in page {
                if upto.is_some_and(|upto| event.version > upto) {
                    return Ok(from);
                }
                let decoded = event.build_event().map_err(corrupt)?;
                from.build.apply(&decoded);
                from.version = event.version;
                from.position = event.position;
            }
            if !full {
                return Ok(from);
            }
        }
    }
}

fn corrupt(error: DecodeError) -> StoreError {
    StoreError::Corrupt(Box::new(error))
}
