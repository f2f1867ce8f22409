//! A log that counts how often it is read, and may have few connections.

use async_trait::async_trait;
use names::TenantName;
use ports::{
    Append, AppendError, Appended, EventStore, Position, RecordedEvent, StoreError, StreamId, TenantPage,
    Version,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use store_sqlite::SqliteStore;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// A log, and how often it was read.
pub(crate) struct Counted {
    pub(crate) log: SqliteStore,
    pub(crate) reads: Arc<AtomicUsize>,
    /// As many as may read at once.
    pub(crate) turns: Arc<Semaphore>,
}

impl Counted {
    async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.turns.acquire().await.map_err(|_| StoreError::Closed)
    }
}

#[async_trait]
impl EventStore for Counted {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.log.append(append).await
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let _turn = self.turn().await?;
        self.log.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let _turn = self.turn().await?;
        self.log.read_all(after, limit).await
    }

    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        let _turn = self.turn().await?;
        self.log.read_tenant(tenant, after, limit).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.log.head()
    }
}
