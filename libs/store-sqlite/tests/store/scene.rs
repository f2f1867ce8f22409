use buildwright_store_sqlite::{SqliteOptions, SqliteStore};
use chrono::{DateTime, Utc};
use domain::BuildId;
use ports::{
    Append, AppendError, Appended, EventStore, Metadata, NewEvent, Position, RecordedEvent, StoreError,
    StreamId, Version,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use ulid::Ulid;

/// A store in a folder of its own.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) store: SqliteStore,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(SqliteOptions::default()).await
    }

    pub(crate) async fn with(options: SqliteOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(&file(folder.path()), options).await.expect("a store");
        Self { folder, store }
    }

    /// The same file, opened once more.
    pub(crate) async fn open_again(&self) -> SqliteStore {
        open(self.folder.path()).await
    }

    /// Drops the store without closing it and opens the file again.
    pub(crate) async fn forsake_and_open(self) -> Self {
        let Self { folder, store } = self;
        drop(store);
        let store = open(folder.path()).await;
        Self { folder, store }
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

pub(crate) fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

pub(crate) fn stream(n: u64) -> StreamId {
    StreamId::Build(build(n))
}

/// A time with more digits than are kept.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00.123456789Z".parse().expect("a time")
}

/// Events whose payloads tell the version they are going to have.
pub(crate) fn append(stream: StreamId, expected: u64, events: u64) -> Append {
    let event = |n| NewEvent {
        kind: "task_started",
        schema_version: 1,
        payload: format!(r#"{{"version":{},"text":"a \"quoted\" 🦀"}}"#, expected + n),
    };
    Append {
        stream,
        expected: Version(expected),
        events: (1..=events).map(event).collect(),
        metadata: Metadata { actor: Some("tester".into()) },
        recorded_at: noon(),
    }
}

/// The whole log, read in pages.
pub(crate) async fn whole_log(store: &SqliteStore) -> Vec<RecordedEvent> {
    let mut log: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = log.last().map_or(Position(0), |event| event.position);
        let page = store.read_all(after, 100).await.expect("a page");
        if page.is_empty() {
            return log;
        }
        log.extend(page);
    }
}

/// Positions are 1, 2, 3 …; so are the versions of each stream; every payload is what was appended there.
pub(crate) fn assert_dense(log: &[RecordedEvent]) {
    let mut versions = std::collections::HashMap::<StreamId, u64>::new();
    for (event, position) in log.iter().zip(1..) {
        assert_eq!(event.position, Position(position));
        let version = versions.entry(event.stream).or_default();
        *version += 1;
        assert_eq!(event.version, Version(*version));
        assert!(event.payload.starts_with(&format!(r#"{{"version":{version},"#)), "{}", event.payload);
    }
}

pub(crate) fn unavailable<T: std::fmt::Debug>(result: Result<T, AppendError>) -> String {
    match result {
        Err(AppendError::Store(error @ StoreError::Unavailable(_))) => error.to_string(),
        other => panic!("expected an unavailable store, not {other:?}"),
    }
}
