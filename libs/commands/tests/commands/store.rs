//! A real store in which appends wait, fail, or come too late when a story wants it.

use async_trait::async_trait;
use names::TenantName;
use ports::{
    Append, AppendError, Appended, EventStore, NewEvent, Position, RecordedEvent, StoreError, StreamId,
    TenantPage, Version,
};
use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};
use store_sqlite::SqliteStore;
use tokio::sync::watch;

/// What befalls one append.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// Nothing is stored, and that is what the caller is told.
    Refused,
    /// It is stored, and the caller is told that it failed.
    StoredAndDenied,
    /// The store panics.
    Panic,
    /// Somebody else writes to the stream first.
    Overtaken,
}

pub(crate) struct TroubledStore {
    pub(crate) inner: SqliteStore,
    fates: Mutex<VecDeque<Fate>>,
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
    unreadable: AtomicBool,
    conflicts: AtomicUsize,
    reads: AtomicUsize,
    events_read: AtomicUsize,
}

impl TroubledStore {
    pub(crate) fn new(inner: SqliteStore) -> Self {
        Self {
            inner,
            fates: Mutex::default(),
            arrived: watch::Sender::new(0),
            open: watch::Sender::new(true),
            unreadable: AtomicBool::new(false),
            conflicts: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
            events_read: AtomicUsize::new(0),
        }
    }

    /// What is going to befall the next appends, one after another.
    pub(crate) fn fate(&self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.lock().unwrap().extend(fates);
    }

    pub(crate) fn unreadable(&self, unreadable: bool) {
        self.unreadable.store(unreadable, SeqCst);
    }

    /// Appends wait from now on.
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn let_go(&self) {
        self.open.send_replace(true);
    }

    /// How many appends were asked for so far.
    pub(crate) fn appends(&self) -> usize {
        *self.arrived.borrow()
    }

    pub(crate) async fn wait_for_append(&self, number: usize) {
        self.arrived.subscribe().wait_for(|arrived| *arrived >= number).await.unwrap();
    }

    pub(crate) fn conflicts(&self) -> usize {
        self.conflicts.load(SeqCst)
    }

    /// How often a stream was read.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    /// How many events came out of that.
    pub(crate) fn events_read(&self) -> usize {
        self.events_read.load(SeqCst)
    }

    /// An event that changes nothing a story looks at.
    async fn overtake(&self, stream: StreamId, expected: Version) {
        let payload = r#"{"work":"merge","attempt":1,"usage":{},"at":"2026-03-01T12:00:00Z"}"#;
        let event = NewEvent { kind: "usage_recorded", schema_version: 1, payload: payload.into() };
        let append = Append {
            stream,
            expected,
            events: vec![event],
            metadata: ports::Metadata { actor: Some("somebody else".into()), ..ports::Metadata::default() },
            recorded_at: crate::scene::noon(),
        };
        self.inner.append(append).await.unwrap();
    }
}

fn broken() -> StoreError {
    StoreError::Unavailable("the disk is on fire".into())
}

#[async_trait]
impl EventStore for TroubledStore {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.arrived.send_modify(|arrived| *arrived += 1);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        let fate = self.fates.lock().unwrap().pop_front();
        match fate {
            None => {}
            Some(Fate::Refused) => return Err(broken().into()),
            Some(Fate::StoredAndDenied) => {
                self.inner.append(append).await?;
                return Err(broken().into());
            }
            Some(Fate::Panic) => panic!("the store has a defect"),
            Some(Fate::Overtaken) => self.overtake(append.stream, append.expected).await,
        }
        let appended = self.inner.append(append).await;
        if matches!(appended, Err(AppendError::Conflict { .. })) {
            self.conflicts.fetch_add(1, SeqCst);
        }
        appended
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        if self.unreadable.load(SeqCst) {
            return Err(broken());
        }
        self.reads.fetch_add(1, SeqCst);
        let events = self.inner.read_stream(stream, after, limit).await?;
        self.events_read.fetch_add(events.len(), SeqCst);
        Ok(events)
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        self.inner.read_all(after, limit).await
    }

    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError> {
        self.inner.read_tenant(tenant, after, limit).await
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.inner.head()
    }
}
