//! A real store that fails when a story wants it, and the read model that recovery looks at.

use async_trait::async_trait;
use domain::BuildId;
use names::TenantName;
use ports::{
    Append, AppendError, Appended, BuildFilter, BuildPage, BuildSummary, EventStore, Position, ReadModels,
    RecordedEvent, StoreError, StreamId, TenantPage, Version,
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};
use store_sqlite::SqliteStore;
use tokio::sync::watch;

/// Where one process stores.
pub(crate) struct TroubledStore {
    inner: SqliteStore,
    down: AtomicBool,
    /// At this position the process dies: nothing it does is stored any more.
    death: AtomicU64,
    refused: watch::Sender<usize>,
}

impl TroubledStore {
    pub(crate) fn new(inner: SqliteStore) -> Self {
        let refused = watch::Sender::new(0);
        Self { inner, down: AtomicBool::new(false), death: AtomicU64::new(u64::MAX), refused }
    }

    pub(crate) fn down(&self, down: bool) {
        self.down.store(down, SeqCst);
    }

    pub(crate) fn die_at(&self, position: u64) {
        self.death.store(position, SeqCst);
    }

    pub(crate) async fn wait_for_refusals(&self, more: usize) {
        let mut refused = self.refused.subscribe();
        let before = *refused.borrow();
        refused.wait_for(|refused| *refused >= before + more).await.unwrap();
    }

    fn check(&self) -> Result<(), StoreError> {
        let dead = self.inner.head().borrow().0 >= self.death.load(SeqCst);
        if dead || self.down.load(SeqCst) {
            self.refused.send_modify(|refused| *refused += 1);
            return Err(StoreError::Unavailable("the disk is on fire".into()));
        }
        Ok(())
    }
}

#[async_trait]
impl EventStore for TroubledStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.check()?;
        self.inner.append(append).await
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.check()?;
        self.inner.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        self.check()?;
        self.inner.read_all(after, limit).await
    }

    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        self.check()?;
        self.inner.read_tenant(tenant, after, limit).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.inner.head()
    }
}

/// A read model that is never behind: it looks at the log itself.
pub(crate) struct Log(pub(crate) SqliteStore);

#[async_trait]
impl ReadModels for Log {
    fn projected(&self) -> watch::Receiver<Position> {
        self.0.head()
    }

    async fn open_builds(&self, after: Option<BuildId>, limit: usize) -> Result<Vec<BuildId>, StoreError> {
        let mut open = BTreeSet::new();
        for event in self.0.read_all(Position(0), 100_000).await? {
            let Some(build) = event.stream.build() else { continue };
            match &*event.kind {
                "build_submitted" => open.insert(build),
                "build_completed" | "build_failed" | "build_cancelled" => open.remove(&build),
                _ => false,
            };
        }
        Ok(open.into_iter().filter(|id| after.is_none_or(|after| *id > after)).take(limit).collect())
    }

    async fn summaries(&self, _: &[BuildId]) -> Result<Vec<BuildSummary>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn project(&self, _: Vec<BuildSummary>, _: Position) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }

    async fn builds(&self, _: &BuildFilter) -> Result<BuildPage, StoreError> {
        Err(StoreError::Closed)
    }

    async fn count_open(&self, _: &str, _: usize) -> Result<usize, StoreError> {
        Err(StoreError::Closed)
    }

    async fn reset(&self) -> Result<(), StoreError> {
        Err(StoreError::Closed)
    }
}
