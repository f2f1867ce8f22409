use buildwright_store_sqlite::{SqliteOptions, SqliteStore};
use ports::{
    ApiKeys, AppendError, Appended, Deliveries, EndpointList, EndpointSecrets, EventStore, Idempotency,
    ReadModels, Snapshots, StreamId,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
pub(crate) use testkit::stores::{Subject, sample::*};

/// A store in a folder of its own.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) store: SqliteStore,
}

impl Subject for Scene {
    async fn empty() -> Self {
        Self::with(SqliteOptions::default()).await
    }

    async fn reopened(self) -> Self {
        let Self { folder, store } = self;
        drop(store);
        let store = open(folder.path()).await;
        Self { folder, store }
    }

    fn events(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }

    fn snapshots(&self) -> Arc<dyn Snapshots> {
        Arc::new(self.store.clone())
    }

    fn idempotency(&self) -> Arc<dyn Idempotency> {
        Arc::new(self.store.clone())
    }

    fn read_models(&self) -> Arc<dyn ReadModels> {
        Arc::new(self.store.clone())
    }

    fn keys(&self) -> Arc<dyn ApiKeys> {
        Arc::new(self.store.clone())
    }

    fn deliveries(&self) -> Arc<dyn Deliveries> {
        Arc::new(self.store.clone())
    }

    fn endpoints(&self) -> Arc<dyn EndpointList> {
        Arc::new(self.store.clone())
    }

    fn secrets(&self) -> Arc<dyn EndpointSecrets> {
        Arc::new(self.store.clone())
    }
}

impl Scene {
    pub(crate) async fn with(options: SqliteOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&file(folder.path()), options).await.expect("a store");
        Self { folder, store }
    }

    /// The same file, opened once more.
    pub(crate) async fn open_again(&self) -> SqliteStore {
        open(self.folder.path()).await
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn append(
        &self,
        stream: StreamId,
        expected: u64,
        events: u64,
    ) -> Result<Appended, AppendError> {
        self.store.append(append(stream, expected, events)).await
    }
}

pub(crate) async fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&file(folder), SqliteOptions::default()).await.expect("a store")
}

pub(crate) fn file(folder: &Path) -> PathBuf {
    folder.join("buildwright.db")
}
