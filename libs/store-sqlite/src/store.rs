use crate::{
    SqliteOptions, builds, events,
    failure::store_error,
    keys, listing, snapshots,
    tail::Tail,
    writer::{Projection, Request, Shared, Writer},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::BuildId;
use names::{KeyId, KeyPrefix, TenantName};
use ports::{
    ApiKey, ApiKeys, Append, AppendError, Appended, BuildFilter, BuildPage, BuildSummary, Created,
    EventStore, KeyChange, KeyFilter, KeyPage, Position, ReadModels, RecordedEvent, Snapshot, Snapshots,
    StoreError, StreamId, TenantPage, Version,
};
use sqlx::{
    ConnectOptions, SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqlitePoolOptions, SqliteRow},
};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Most requests that wait for the writer; more wait for a place.
const WAITING: usize = 1024;

/// The event store and the read models in one SQLite file. Clones are the same store.
///
/// One process at a time may write to a file. A second one does no harm, but both see failed appends.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    requests: mpsc::Sender<Request>,
    readers: SqlitePool,
    shared: Arc<Shared>,
}

impl SqliteStore {
    /// Opens a file, made if there is none in an existing folder, and brings its tables up to date.
    ///
    /// Must be called within a Tokio runtime, where the writing task then runs until the store is closed or
    /// its last clone is dropped.
    ///
    /// # Errors
    /// If the file cannot be opened, is no database, or was written by a newer version.
    pub async fn open(path: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        let writing = options.writing(path);
        let mut connection = writing.connect().await.map_err(store_error)?;
        migrations().run(&mut connection).await.map_err(|error| store_error(error.into()))?;
        let head = events::head(&mut connection).await.map_err(store_error)?;
        let projected = builds::checkpoint(&mut connection).await.map_err(store_error)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers)
            .test_before_acquire(false)
            .connect_with(options.reading(path))
            .await
            .map_err(store_error)?;
        let shared = Arc::new(Shared {
            head: watch::Sender::new(head),
            projected: watch::Sender::new(projected),
            tail: Mutex::new(Tail::new(options.tail_events, options.tail_bytes)),
        });
        let (requests, waiting) = mpsc::channel(WAITING);
        tokio::spawn(Writer::new(writing, connection, Arc::clone(&shared)).run(waiting));
        Ok(Self { requests, readers, shared })
    }

    /// Finishes what waits, folds the write-ahead log into the file and closes it. Whatever is asked
    /// afterwards fails with [`StoreError::Closed`].
    pub async fn close(&self) {
        self.readers.close().await;
        let (answer, closed) = oneshot::channel();
        if self.requests.send(Request::Close(answer)).await.is_ok() {
            let _ = closed.await;
        }
    }

    pub(crate) fn requests(&self) -> &mpsc::Sender<Request> {
        &self.requests
    }

    /// Connections for reading.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    async fn change_keys(&self, change: keys::Change) -> Result<u64, StoreError> {
        self.ask(|answer| Request::Keys(change, answer)).await?
    }

    async fn change(&self, projection: Projection) -> Result<(), StoreError> {
        self.ask(|answer| Request::Project(projection, answer)).await?
    }

    /// Asks the writer and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, done) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)
    }
}

/// The steps from an empty file to the tables of this version. Each file of `migrations/sqlite` is one.
fn migrations() -> Migrator {
    let step = |version, description: &'static str, sql: &'static str| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    // Not `sqlx::migrate!`: its macro crate would compile SQLite a second time, for the compiler's own use.
    Migrator::with_migrations(vec![
        step(1, "events and builds", include_str!("../../../migrations/sqlite/0001_events_and_builds.sql")),
        step(2, "snapshots", include_str!("../../../migrations/sqlite/0002_snapshots.sql")),
        step(3, "tenants and keys", include_str!("../../../migrations/sqlite/0003_tenants_and_keys.sql")),
        step(4, "idempotency", include_str!("../../../migrations/sqlite/0004_idempotency.sql")),
        step(5, "webhook endpoints", include_str!("../../../migrations/sqlite/0005_webhook_endpoints.sql")),
        step(6, "deliveries", include_str!("../../../migrations/sqlite/0006_deliveries.sql")),
    ])
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.ask(|answer| Request::Append(append, answer)).await?
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let rows = events::of_stream(&self.readers, stream, after, sql_limit(limit)).await;
        read_events(&rows.map_err(store_error)?)
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        if let Some(events) = self.shared.tail().after(after, limit) {
            return Ok(events);
        }
        let rows = events::of_all(&self.readers, after, sql_limit(limit)).await;
        read_events(&rows.map_err(store_error)?)
    }

    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        if let Some(page) = self.shared.tail().of_tenant(tenant, after, limit) {
            return Ok(page);
        }
        let head = *self.shared.head.borrow();
        let rows = events::of_tenant(&self.readers, tenant, after, sql_limit(limit)).await;
        let events = read_events(&rows.map_err(store_error)?)?;
        let last = events.last().map_or(after, |event| event.position);
        let upto = if events.len() == limit { last } else { last.max(head) };
        Ok(TenantPage { events, upto })
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.shared.head.subscribe()
    }
}

#[async_trait]
impl Snapshots for SqliteStore {
    async fn load_snapshot(&self, stream: StreamId) -> Result<Option<Snapshot>, StoreError> {
        let row = snapshots::load(&self.readers, stream).await.map_err(store_error)?;
        row.map(|row| snapshots::read(&row).map_err(StoreError::from)).transpose()
    }

    async fn save_snapshot(&self, stream: StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        self.ask(|answer| Request::Save(stream, snapshot, answer)).await?
    }
}

#[async_trait]
impl ReadModels for SqliteStore {
    fn projected(&self) -> watch::Receiver<Position> {
        self.shared.projected.subscribe()
    }

    async fn summaries(&self, ids: &[BuildId]) -> Result<Vec<BuildSummary>, StoreError> {
        let ids = serde_json::to_string(ids).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let rows = listing::by_ids(ids).build().fetch_all(&self.readers).await;
        read_builds(&rows.map_err(store_error)?)
    }

    async fn project(&self, rows: Vec<BuildSummary>, upto: Position) -> Result<(), StoreError> {
        self.change(Projection::Rows { rows, upto }).await
    }

    async fn builds(&self, filter: &BuildFilter) -> Result<BuildPage, StoreError> {
        // One more than asked for tells whether more follow.
        let limit = sql_limit(filter.limit).saturating_add(1);
        let rows = listing::newest(filter, limit).build().fetch_all(&self.readers).await;
        let mut builds = read_builds(&rows.map_err(store_error)?)?;
        let more = builds.len() > filter.limit;
        builds.truncate(filter.limit);
        Ok(BuildPage { builds, more })
    }

    async fn open_builds(&self, after: Option<BuildId>, limit: usize) -> Result<Vec<BuildId>, StoreError> {
        let ids: Vec<String> = listing::open(after, sql_limit(limit))
            .build_query_scalar()
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
        ids.iter().map(|id| id.parse().map_err(|error| StoreError::Corrupt(Box::new(error)))).collect()
    }

    async fn count_open(&self, submitted_by: &str, most: usize) -> Result<usize, StoreError> {
        let mut query = listing::count_open(submitted_by, sql_limit(most));
        let count: i64 = query.build_query_scalar().fetch_one(&self.readers).await.map_err(store_error)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn reset(&self) -> Result<(), StoreError> {
        self.change(Projection::Reset).await
    }
}

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn create_key(&self, key: &ApiKey) -> Result<Created, StoreError> {
        let stored = self.change_keys(keys::Change::Create(Box::new(key.clone()))).await?;
        Ok(if stored == 0 { Created::PrefixTaken } else { Created::Stored })
    }

    async fn find_key(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, StoreError> {
        let row = keys::by_prefix(&self.readers, prefix).await.map_err(store_error)?;
        row.map(|row| keys::read(&row).map_err(StoreError::from)).transpose()
    }

    async fn keys(&self, filter: &KeyFilter) -> Result<KeyPage, StoreError> {
        let limit = sql_limit(filter.limit).saturating_add(1);
        let rows = keys::newest(&self.readers, filter, limit).await.map_err(store_error)?;
        let mut keys = rows.iter().map(keys::read).collect::<Result<Vec<_>, _>>()?;
        let more = keys.len() > filter.limit;
        keys.truncate(filter.limit);
        Ok(KeyPage { keys, more })
    }

    async fn revoke_key(&self, id: KeyId, change: &KeyChange) -> Result<Option<ApiKey>, StoreError> {
        self.change_keys(keys::Change::Revoke(id, change.clone())).await?;
        let row = keys::by_id(&self.readers, id).await.map_err(store_error)?;
        row.map(|row| keys::read(&row).map_err(StoreError::from)).transpose()
    }

    async fn note_used(&self, uses: &[(KeyId, DateTime<Utc>)]) -> Result<(), StoreError> {
        self.change_keys(keys::Change::Used(uses.to_vec())).await.map(drop)
    }

    async fn any_usable_key(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        keys::any_usable(&self.readers, now).await.map_err(store_error)
    }
}

pub(crate) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn read_events(rows: &[SqliteRow]) -> Result<Vec<RecordedEvent>, StoreError> {
    rows.iter().map(|row| events::read(row).map_err(StoreError::from)).collect()
}

fn read_builds(rows: &[SqliteRow]) -> Result<Vec<BuildSummary>, StoreError> {
    rows.iter().map(|row| builds::read(row).map_err(StoreError::from)).collect()
}
