//! A real store that hands out few events at a time, and whose read models fail when a story wants it.

use async_trait::async_trait;
use domain::BuildId;
use ports::{
    Append, AppendError, Appended, BuildFilter, BuildPage, BuildSummary, EventStore, Position, ReadModels,
    RecordedEvent, StoreError, StreamId, TenantPage, Version,
};
use std::{collections::VecDeque, sync::Mutex};
use store_sqlite::SqliteStore;
use tokio::sync::watch;

/// What befalls one write to the read models.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// It is stored.
    Stored,
    /// Nothing is stored, and that is what the caller is told.
    Refused,
    /// It is stored, and the caller is told that it failed.
    StoredAndDenied,
    /// Nothing is stored and no answer comes: here the process is killed.
    LostBefore,
    /// It is stored and no answer comes: here the process is killed.
    LostAfter,
}

pub(crate) struct TroubledStore {
    pub(crate) inner: SqliteStore,
    /// Most events that are read at once.
    page: usize,
    fates: Mutex<VecDeque<Fate>>,
    /// How many writes were asked for.
    pub(crate) writes: watch::Sender<usize>,
}

impl TroubledStore {
    pub(crate) fn new(inner: SqliteStore, page: usize) -> Self {
        Self { inner, page, fates: Mutex::default(), writes: watch::Sender::new(0) }
    }

    /// What is going to befall the next writes, one after another.
    pub(crate) fn fate(&self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.lock().unwrap().extend(fates);
    }

    pub(crate) fn forget_fates(&self) {
        self.fates.lock().unwrap().clear();
    }

    pub(crate) async fn wait_for_write(&self, number: usize) {
        self.writes.subscribe().wait_for(|writes| *writes >= number).await.unwrap();
    }
}

fn broken() -> StoreError {
    StoreError::Unavailable("the disk is on fire".into())
}

#[async_trait]
impl ReadModels for TroubledStore {
    fn projected(&self) -> watch::Receiver<Position> {
        self.inner.projected()
    }

    async fn summaries(&self, ids: &[BuildId]) -> Result<Vec<BuildSummary>, StoreError> {
        self.inner.summaries(ids).await
    }

    async fn project(&self, rows: Vec<BuildSummary>, upto: Position) -> Result<(), StoreError> {
        let fate = self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Stored);
        let stored = match fate {
            Fate::Refused | Fate::LostBefore => Ok(()),
            _ => self.inner.project(rows, upto).await,
        };
        self.writes.send_modify(|writes| *writes += 1);
        match fate {
            Fate::Stored => stored,
            Fate::Refused | Fate::StoredAndDenied => Err(broken()),
            Fate::LostBefore | Fate::LostAfter => std::future::pending().await,
        }
    }

    async fn builds(&self, filter: &BuildFilter) -> Result<BuildPage, StoreError> {
        self.inner.builds(filter).await
    }

    async fn open_builds(&self, after: Option<BuildId>, limit: usize) -> Result<Vec<BuildId>, StoreError> {
        self.inner.open_builds(after, limit).await
    }

    async fn count_open(&self, submitted_by: &str, most: usize) -> Result<usize, StoreError> {
        self.inner.count_open(submitted_by, most).await
    }

    async fn reset(&self) -> Result<(), StoreError> {
        self.inner.reset().await
    }
}

#[async_trait]
impl EventStore for TroubledStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.inner.append(append).await
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.inner.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        self.inner.read_all(after, limit.min(self.page)).await
    }

    async fn read_tenant(
        &self,
        tenant: &names::TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        self.inner.read_tenant(tenant, after, limit).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.inner.head()
    }
}
