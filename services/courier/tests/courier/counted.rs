//! A log that counts how often it is read.

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
use tokio::sync::watch;

/// A log, and how often it was read.
pub(crate) struct Counted {
    pub(crate) log: SqliteStore,
    pub(crate) reads: Arc<AtomicUsize>,
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
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.log.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.log.read_all(after, limit).await
    }

    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.log.read_tenant(tenant, after, limit).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.log.head()
    }
}
