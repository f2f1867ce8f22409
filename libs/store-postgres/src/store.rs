use crate::{
    PostgresOptions,
    appender::{Appender, Request},
    batch::Waiting,
    builds, events,
    failure::store_error,
    keys,
    link::Link,
    listing,
    migrations::{self, Unsuitable},
    progress::{Progress, Shared},
    projecting::Projecting,
    sessions::{Pool, Sessions},
    snapshots,
    tail::Tail,
    wakeups::Wakeups,
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
use sqlx::{Connection, Row};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Most requests that wait for the appender; more wait for a place.
const WAITING: usize = 1024;

/// The event store and the read models in one PostgreSQL database. Clones are the same store; any number of
/// stores, in any number of processes, may be open on a database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    requests: mpsc::Sender<Request>,
    readers: Pool,
    shared: Arc<Shared>,
    projecting: Projecting,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

impl PostgresStore {
    /// Opens a database, given as `postgres://user:password@host/name`, and brings its tables up to date.
    ///
    /// Must be called within a Tokio runtime, where the store's tasks then run until it is closed or its last
    /// clone is dropped.
    ///
    /// # Errors
    /// If the database cannot be reached, or is not PostgreSQL 15 or later with UTF8.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self, StoreError> {
        let sessions = Sessions::new(url, &options).map_err(store_error)?;
        let known = prepare(&sessions).await?;
        let readers = Pool::new(&sessions, options.readers).map_err(store_error)?;
        let tail = Tail::new(options.tail_events, options.tail_bytes);
        let shared = Arc::new(Shared::new(known, tail));

        let mut link = Link::new(sessions.clone());
        link.connect().await.map_err(store_error)?;
        let (requests, waiting) = mpsc::channel(WAITING);
        tokio::spawn(Appender::new(link, options.patience, Arc::clone(&shared)).run(waiting));

        let stop = CancellationToken::new();
        let wakeups = Wakeups::new(Arc::clone(&shared), sessions, options).map_err(store_error)?;
        tokio::spawn(stop.clone().run_until_cancelled_owned(wakeups.run()));

        let projecting = Projecting::new(readers.clone(), Arc::clone(&shared));
        let _stop_when_dropped = stop.clone().drop_guard();
        let inner = Inner { requests, readers, shared, projecting, stop, _stop_when_dropped };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Connections for statements that may be sent twice.
    pub(crate) fn readers(&self) -> &Pool {
        &self.inner.readers
    }

    /// Finishes the appends that wait and gives up all connections. Whatever is asked afterwards fails with
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        if self.inner.requests.send(Request::Close(answer)).await.is_ok() {
            let _ = closed.await;
        }
        self.inner.stop.cancel();
        self.inner.readers.close();
    }
}

/// Brings the tables up to date and tells where everything stands.
async fn prepare(sessions: &Sessions) -> Result<Progress, StoreError> {
    let mut connection = sessions.connect_to_migrate().await.map_err(store_error)?;
    migrations::run(&mut connection).await.map_err(|unsuitable| match unsuitable {
        Unsuitable::Sql(error) => store_error(error),
        other => StoreError::Unavailable(Box::new(other)),
    })?;
    let row = Progress::query().fetch_one(&mut connection).await.map_err(store_error)?;
    // The server notices anyway.
    let _ = connection.close().await;
    Ok(Progress::read(&row)?)
}

#[async_trait]
impl EventStore for PostgresStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (answer, done) = oneshot::channel();
        let request = Request::Append(Waiting { append, answer });
        self.inner.requests.send(request).await.map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let stream = stream.to_string();
        let rows = self.inner.readers.rows(|| events::of_stream(&stream, after, sql_limit(limit))).await?;
        events::read_all(&rows)
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let head = *self.inner.shared.head.borrow();
        if let Some(events) = self.inner.shared.tail().after(after, limit, head) {
            return Ok(events);
        }
        let rows = self.inner.readers.rows(|| events::of_all(after, sql_limit(limit))).await?;
        let events = events::read_all(&rows)?;
        self.inner.shared.tail().read(&events);
        Ok(events)
    }

    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        let head = *self.inner.shared.head.borrow();
        if let Some(page) = self.inner.shared.tail().of_tenant(tenant, after, limit, head) {
            return Ok(page);
        }
        let rows = self.inner.readers.rows(|| events::of_tenant(tenant, after, sql_limit(limit))).await?;
        let events = events::read_all(&rows)?;
        let last = events.last().map_or(after, |event| event.position);
        let upto = if events.len() == limit { last } else { last.max(head) };
        Ok(TenantPage { events, upto })
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.inner.shared.head.subscribe()
    }
}

#[async_trait]
impl Snapshots for PostgresStore {
    async fn load_snapshot(&self, stream: StreamId) -> Result<Option<Snapshot>, StoreError> {
        let stream = stream.to_string();
        let rows = self.inner.readers.rows(|| snapshots::load(&stream)).await?;
        rows.first().map(|row| snapshots::read(row).map_err(StoreError::from)).transpose()
    }

    async fn save_snapshot(&self, stream: StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        let stream = stream.to_string();
        self.inner.readers.rows(|| snapshots::save(&stream, &snapshot)).await?;
        Ok(())
    }
}

#[async_trait]
impl ReadModels for PostgresStore {
    fn projected(&self) -> watch::Receiver<Position> {
        self.inner.shared.projected.subscribe()
    }

    async fn summaries(&self, ids: &[BuildId]) -> Result<Vec<BuildSummary>, StoreError> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        builds::read_all(&self.inner.readers.rows(|| listing::by_ids(&ids)).await?)
    }

    /// Several processes may fold the same events: the first stores them, and the others are told that it is
    /// done when it is.
    async fn project(&self, rows: Vec<BuildSummary>, upto: Position) -> Result<(), StoreError> {
        self.inner.projecting.project(rows, upto).await
    }

    async fn builds(&self, filter: &BuildFilter) -> Result<BuildPage, StoreError> {
        // One more than asked for tells whether more follow.
        let limit = sql_limit(filter.limit).saturating_add(1);
        let newest = listing::Newest::new(filter, limit).map_err(store_error)?;
        let mut builds = builds::read_all(&self.inner.readers.rows(|| newest.query()).await?)?;
        let more = builds.len() > filter.limit;
        builds.truncate(filter.limit);
        Ok(BuildPage { builds, more })
    }

    async fn open_builds(&self, after: Option<BuildId>, limit: usize) -> Result<Vec<BuildId>, StoreError> {
        let rows = self.inner.readers.rows(|| listing::open(after, sql_limit(limit))).await?;
        let id = |row: &sqlx::postgres::PgRow| {
            let id: &str = row.try_get(0).map_err(store_error)?;
            id.parse().map_err(|error| StoreError::Corrupt(Box::new(error)))
        };
        rows.iter().map(id).collect()
    }

    async fn count_open(&self, submitted_by: &str, most: usize) -> Result<usize, StoreError> {
        let rows = self.inner.readers.rows(|| listing::count_open(submitted_by, sql_limit(most))).await?;
        let count = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0)).map_err(store_error)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn reset(&self) -> Result<(), StoreError> {
        self.inner.projecting.reset().await
    }
}

#[async_trait]
impl ApiKeys for PostgresStore {
    async fn create_key(&self, key: &ApiKey) -> Result<Created, StoreError> {
        let rows = self.inner.readers.rows(|| keys::create(key)).await?;
        let stored = rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(store_error)?;
        Ok(if stored { Created::Stored } else { Created::PrefixTaken })
    }

    async fn find_key(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, StoreError> {
        let rows = self.inner.readers.rows(|| keys::by_prefix(prefix)).await?;
        rows.first().map(|row| keys::read(row).map_err(StoreError::from)).transpose()
    }

    async fn keys(&self, filter: &KeyFilter) -> Result<KeyPage, StoreError> {
        let limit = sql_limit(filter.limit).saturating_add(1);
        let rows = self.inner.readers.rows(|| keys::newest(filter, limit)).await?;
        let mut keys = rows.iter().map(keys::read).collect::<Result<Vec<_>, _>>()?;
        let more = keys.len() > filter.limit;
        keys.truncate(filter.limit);
        Ok(KeyPage { keys, more })
    }

    async fn revoke_key(&self, id: KeyId, change: &KeyChange) -> Result<Option<ApiKey>, StoreError> {
        let rows = self.inner.readers.rows(|| keys::revoke(id, change)).await?;
        rows.first().map(|row| keys::read(row).map_err(StoreError::from)).transpose()
    }

    async fn note_used(&self, uses: &[(KeyId, DateTime<Utc>)]) -> Result<(), StoreError> {
        let (ids, times) = keys::columns(uses);
        self.inner.readers.rows(|| keys::used(&ids, &times)).await.map(drop)
    }

    async fn any_usable_key(&self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let rows = self.inner.readers.rows(|| keys::any_usable(now)).await?;
        rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(store_error)
    }
}

pub(crate) fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
