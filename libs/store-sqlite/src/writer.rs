//! The task that writes.

use crate::{
    builds, deliveries, endpoints, events,
    failure::Failure,
    idempotency::{self, Change, Done},
    keys,
    placement::Placement,
    snapshots,
    tail::Tail,
    versions::Versions,
};
use ports::{Append, AppendError, Appended, BuildSummary, Position, Snapshot, StoreError, StreamId, Version};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Most requests that one transaction carries.
const BATCH: usize = 512;
/// Streams per generation of remembered versions.
const REMEMBERED_STREAMS: usize = 16_384;

/// A change of the read models.
#[derive(Debug)]
pub(crate) enum Projection {
    Rows { rows: Vec<BuildSummary>, upto: Position },
    Reset,
}

type Answer<T> = oneshot::Sender<T>;
type Saving = (StreamId, Snapshot, Answer<Result<(), StoreError>>);

/// What the writer can be asked.
#[derive(Debug)]
pub(crate) enum Request {
    Append(Append, Answer<Result<Appended, AppendError>>),
    Project(Projection, Answer<Result<(), StoreError>>),
    Save(StreamId, Snapshot, Answer<Result<(), StoreError>>),
    Keys(keys::Change, Answer<Result<u64, StoreError>>),
    Deliveries(deliveries::Change, Answer<Result<u64, StoreError>>),
    Endpoints(endpoints::Change, Answer<Result<u64, StoreError>>),
    Idempotency(Change, Answer<Result<Done, StoreError>>),
    Close(Answer<()>),
}

/// What readers see of the writer's work.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) head: watch::Sender<Position>,
    pub(crate) projected: watch::Sender<Position>,
    pub(crate) tail: Mutex<Tail>,
}

impl Shared {
    pub(crate) fn tail(&self) -> std::sync::MutexGuard<'_, Tail> {
        // A tail is whole after every statement that changes it.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The owner of the only writing connection.
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    /// `None` after a failure: what the connection and the memory say of the file is not trusted then.
    connection: Option<SqliteConnection>,
    head: Position,
    versions: Versions,
    shared: Arc<Shared>,
}

/// The requests of one transaction.
#[derive(Default)]
struct Batch {
    appends: Vec<(Append, Answer<Result<Appended, AppendError>>)>,
    projections: Vec<(Projection, Answer<Result<(), StoreError>>)>,
    snapshots: Vec<Saving>,
    keys: Vec<(keys::Change, Answer<Result<u64, StoreError>>)>,
    deliveries: Vec<(deliveries::Change, Answer<Result<u64, StoreError>>)>,
    endpoints: Vec<(endpoints::Change, Answer<Result<u64, StoreError>>)>,
    idempotency: Vec<(Change, Answer<Result<Done, StoreError>>)>,
    closing: Vec<Answer<()>>,
}

/// What a transaction stored.
struct Stored {
    placed: Placement,
    appended: Vec<Result<Appended, AppendError>>,
    projected: Option<Position>,
}

impl Writer {
    pub(crate) fn new(
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        shared: Arc<Shared>,
    ) -> Self {
        let head = *shared.head.borrow();
        let versions = Versions::new(REMEMBERED_STREAMS);
        Self { options, connection: Some(connection), head, versions, shared }
    }

    /// Writes until the store is closed or dropped.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut waiting = Vec::with_capacity(BATCH);
        let mut closing = Vec::new();
        loop {
            // Those who were just answered get to ask again before the next transaction begins: otherwise
            // the first of them would have one to itself and the rest would wait for the one after.
            tokio::task::yield_now().await;
            if requests.recv_many(&mut waiting, BATCH).await == 0 {
                break;
            }
            let mut batch = Batch::of(waiting.drain(..));
            if !batch.closing.is_empty() {
                closing.append(&mut batch.closing);
                requests.close();
            }
            self.serve(batch).await;
        }
        if let Some(mut connection) = self.connection.take() {
            // Leaves one file behind instead of three. Failing to is no loss: the next start reads the log.
            let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await;
            let _ = connection.close().await;
        }
        for answer in closing {
            let _ = answer.send(());
        }
    }

    /// Stores a batch and answers it. Whoever stopped waiting for an answer is not told.
    async fn serve(&mut self, batch: Batch) {
        let Batch { appends, projections, snapshots, idempotency, keys, endpoints, deliveries, .. } = batch;
        let (appends, appenders): (Vec<_>, Vec<_>) = appends.into_iter().unzip();
        let (projections, projectors): (Vec<_>, Vec<_>) = projections.into_iter().unzip();
        match self.store(appends, projections).await {
            Ok(stored) => {
                self.publish(stored.placed, stored.projected);
                for (answer, result) in appenders.into_iter().zip(stored.appended) {
                    let _ = answer.send(result);
                }
                for answer in projectors {
                    let _ = answer.send(Ok(()));
                }
            }
            Err(failure) => {
                tracing::warn!(error = %failure, "nothing could be written to the event store");
                self.distrust().await;
                for answer in appenders {
                    let _ = answer.send(Err(StoreError::from(failure.clone()).into()));
                }
                for answer in projectors {
                    let _ = answer.send(Err(failure.clone().into()));
                }
            }
        }
        let (changes, askers): (Vec<_>, Vec<_>) = idempotency.into_iter().unzip();
        match self.settle(&changes).await {
            Ok(done) => {
                for (answer, done) in askers.into_iter().zip(done) {
                    let _ = answer.send(done);
                }
            }
            Err(failure) => {
                for answer in askers {
                    let _ = answer.send(Err(failure.clone().into()));
                }
            }
        }
        // In a transaction of its own, so that a snapshot for which there is no room costs no event its place.
        for (stream, snapshot, answer) in snapshots {
            let _ = answer.send(self.save(stream, &snapshot).await.map_err(StoreError::from));
        }
        for (change, answer) in keys {
            let _ = answer.send(self.change_keys(&change).await.map_err(StoreError::from));
        }
        for (change, answer) in endpoints {
            let _ = answer.send(self.change_endpoints(&change).await.map_err(StoreError::from));
        }
        let (changes, answers): (Vec<_>, Vec<_>) = deliveries.into_iter().unzip();
        let results = self.change_deliveries(&changes).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let result = results.as_ref().map(|done| done.get(n).copied().unwrap_or_default());
            let _ = answer.send(result.map_err(|failure| failure.clone().into()));
        }
    }

    async fn settle(&mut self, changes: &[Change]) -> Result<Vec<Result<Done, StoreError>>, Failure> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.connect().await?;
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::WorkerCrashed.into()) };
        let settled = idempotency::carry_out(connection, changes).await;
        if settled.is_err() {
            self.distrust().await;
        }
        Ok(settled?)
    }

    async fn save(&mut self, stream: StreamId, snapshot: &Snapshot) -> Result<(), Failure> {
        self.connect().await?;
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::WorkerCrashed.into()) };
        let saved = snapshots::save(connection, stream, snapshot).await;
        if saved.is_err() {
            self.distrust().await;
        }
        Ok(saved?)
    }

    async fn change_keys(&mut self, change: &keys::Change) -> Result<u64, Failure> {
        self.connect().await?;
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::WorkerCrashed.into()) };
        let changed = change.apply(connection).await;
        if changed.is_err() {
            self.distrust().await;
        }
        Ok(changed?)
    }

    /// All in one transaction: many endpoints have results at the same time.
    async fn change_deliveries(&mut self, changes: &[deliveries::Change]) -> Result<Vec<u64>, Failure> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.connect().await?;
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::WorkerCrashed.into()) };
        let changed = async {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            let mut changed = Vec::with_capacity(changes.len());
            for change in changes {
                changed.push(change.apply(&mut transaction).await?);
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(changed)
        };
        let changed = changed.await;
        if changed.is_err() {
            self.distrust().await;
        }
        Ok(changed?)
    }

    async fn change_endpoints(&mut self, change: &endpoints::Change) -> Result<u64, Failure> {
        self.connect().await?;
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::WorkerCrashed.into()) };
        let changed = change.apply(connection).await;
        if changed.is_err() {
            self.distrust().await;
        }
        Ok(changed?)
    }

    async fn store(&mut self, appends: Vec<Append>, projections: Vec<Projection>) -> Result<Stored, Failure> {
        self.connect().await?;
        let versions = self.versions_of(&appends).await?;
        let mut placed = Placement::new(self.head, versions);
        let appended = appends.into_iter().map(|append| placed.place(append)).collect();
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::WorkerCrashed.into()) };
        let projected = match (placed.events.is_empty(), projections.is_empty()) {
            (true, true) => None,
            _ => write(connection, &placed, &projections).await?,
        };
        Ok(Stored { placed, appended, projected })
    }

    /// The stored version of every stream that is appended to.
    async fn versions_of(&mut self, appends: &[Append]) -> Result<HashMap<StreamId, Version>, Failure> {
        let mut known = HashMap::with_capacity(appends.len());
        let mut unknown = Vec::new();
        for append in appends {
            if let std::collections::hash_map::Entry::Vacant(entry) = known.entry(append.stream) {
                let version = self.versions.get(append.stream);
                if version.is_none() {
                    unknown.push(append.stream);
                }
                entry.insert(version.unwrap_or_default());
            }
        }
        if let (false, Some(connection)) = (unknown.is_empty(), &mut self.connection) {
            known.extend(events::versions(connection, &unknown).await?);
        }
        Ok(known)
    }

    /// After commit: lets everybody see it.
    fn publish(&mut self, placed: Placement, projected: Option<Position>) {
        for (stream, version) in placed.versions {
            self.versions.set(stream, version);
        }
        if !placed.events.is_empty() {
            self.head = placed.head;
            self.shared.tail().push(placed.events);
            self.shared.head.send_replace(placed.head);
        }
        if let Some(position) = projected {
            self.shared.projected.send_replace(position);
        }
    }

    /// After a failure: the file is asked again before the next write.
    async fn distrust(&mut self) {
        self.versions.clear();
        if let Some(connection) = self.connection.take() {
            // Closing rolls back whatever was begun.
            let _ = connection.close().await;
        }
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut connection = self.options.connect().await?;
        let head = events::head(&mut connection).await?;
        let projected = builds::checkpoint(&mut connection).await?;
        if head != self.head {
            // A commit that was reported as failed, or another process's: memory has a gap there.
            self.shared.tail().clear();
            self.head = head;
            self.shared.head.send_replace(head);
        }
        self.shared.projected.send_if_modified(|known| std::mem::replace(known, projected) != projected);
        self.connection = Some(connection);
        Ok(())
    }
}

/// One transaction. Returns the new checkpoint of the read models if it changed.
async fn write(
    connection: &mut SqliteConnection,
    placed: &Placement,
    projections: &[Projection],
) -> Result<Option<Position>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    events::insert(&mut transaction, &placed.events).await?;
    let mut projected = None;
    for projection in projections {
        match projection {
            Projection::Rows { rows, upto } => {
                builds::upsert(&mut transaction, rows).await?;
                projected = Some(*upto);
            }
            Projection::Reset => {
                builds::clear(&mut transaction).await?;
                endpoints::clear(&mut transaction).await?;
                projected = Some(Position(0));
            }
        }
    }
    if let Some(position) = projected {
        builds::set_checkpoint(&mut transaction, position).await?;
    }
    transaction.commit().await?;
    Ok(projected)
}

impl Batch {
    fn of(requests: impl Iterator<Item = Request>) -> Self {
        let mut batch = Self::default();
        for request in requests {
            match request {
                Request::Append(append, answer) => batch.appends.push((append, answer)),
                Request::Project(projection, answer) => batch.projections.push((projection, answer)),
                Request::Save(stream, snapshot, answer) => batch.snapshots.push((stream, snapshot, answer)),
                Request::Keys(change, answer) => batch.keys.push((change, answer)),
                Request::Deliveries(change, answer) => batch.deliveries.push((change, answer)),
                Request::Endpoints(change, answer) => batch.endpoints.push((change, answer)),
                Request::Idempotency(change, answer) => batch.idempotency.push((change, answer)),
                Request::Close(answer) => batch.closing.push(answer),
            }
        }
        batch
    }
}
