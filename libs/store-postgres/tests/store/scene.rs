use buildwright_store_postgres::{PostgresOptions, PostgresStore};
use ports::{
    ApiKeys, Deliveries, EndpointList, EndpointSecrets, EventStore, Idempotency, ReadModels, Snapshots,
};
use std::sync::Arc;
use testkit::postgres::Server;
pub(crate) use testkit::stores::{Subject, sample::*};

/// A store on a database of its own.
pub(crate) struct Scene {
    pub(crate) url: String,
    pub(crate) store: PostgresStore,
}

impl Subject for Scene {
    async fn empty() -> Self {
        Self::with(PostgresOptions::default()).await
    }

    async fn reopened(self) -> Self {
        let Self { url, store } = self;
        drop(store);
        let store = open(&url).await;
        Self { url, store }
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
    pub(crate) async fn with(options: PostgresOptions) -> Self {
        let url = Server::shared().database();
        let store = PostgresStore::open(&url, options).await.expect("a store");
        Self { url, store }
    }
}

pub(crate) async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(url, PostgresOptions::default()).await.expect("a store")
}
