//! A log, its read models, and the words the stories are told in.

use crate::store::TroubledStore;
use buildwright_projector::Projector;
use chrono::{DateTime, Utc};
use commands::{Builds, Writers};
use domain::{
    BuildId,
    build::{Build, Command},
};
use ports::{
    Append, BuildFilter, BuildSummary, Clock, EventStore, Metadata, NewEvent, Position, ReadModels, StreamId,
    TaskCounts, Version,
};
use std::{sync::Arc, time::Duration};
use store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

pub(crate) struct Scene {
    _folder: TempDir,
    pub(crate) store: Arc<TroubledStore>,
    pub(crate) builds: Builds,
    pub(crate) endpoints: Arc<SqliteStore>,
}

impl Scene {
    /// A store that hands out at most `page` events at once: so many are folded by one write.
    pub(crate) async fn with_pages_of(page: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.db");
        let sqlite = SqliteStore::open(&path, SqliteOptions::default()).await.expect("a store");
        let endpoints = Arc::new(sqlite.clone());
        let store = Arc::new(TroubledStore::new(sqlite, page));
        let builds = Builds::new(Arc::clone(&store) as _, Arc::new(Noon), Writers::Several, 100);
        Self { _folder: folder, store, builds, endpoints }
    }

    pub(crate) async fn give(&self, id: BuildId, command: Command) {
        // A refusal stores nothing, and that is as good a history as any.
        let _ = self.builds.execute(id, "tester".into(), command).await;
    }

    /// An event that this version knows nothing of.
    pub(crate) async fn append_unknown(&self, id: BuildId, kind: &'static str, schema_version: u16) {
        let expected = self.builds.read(id, |loaded| loaded.version).await.expect("readable");
        let append = Append {
            stream: StreamId::Build(id),
            expected: expected.unwrap_or(Version(0)),
            events: vec![NewEvent { kind, schema_version, payload: r#"{"mood":"cheerful"}"#.into() }],
            metadata: Metadata::default(),
            recorded_at: noon(),
        };
        self.store.append(append).await.expect("stored");
    }

    pub(crate) fn projector(&self) -> Projector {
        Projector::new(
            Arc::clone(&self.store) as _,
            Arc::clone(&self.store) as _,
            Arc::clone(&self.endpoints) as _,
        )
    }

    pub(crate) async fn catch_up(&self) {
        self.projector().catch_up(&CancellationToken::new()).await.expect("caught up");
    }

    pub(crate) fn head(&self) -> Position {
        *self.store.head().borrow()
    }

    pub(crate) fn projected(&self) -> Position {
        *self.store.projected().borrow()
    }

    pub(crate) async fn wait_until_projected(&self, upto: Position) {
        let mut projected = self.store.projected();
        soon(projected.wait_for(|seen| *seen >= upto)).await.expect("an open store");
    }

    /// Every row, newest build first.
    pub(crate) async fn rows(&self) -> Vec<BuildSummary> {
        let filter = BuildFilter::of(Default::default(), 1_000);
        self.store.builds(&filter).await.expect("a page").builds
    }

    /// The row that the state of a build stands for.
    pub(crate) async fn expected(&self, id: BuildId) -> Option<BuildSummary> {
        self.builds.read(id, |loaded| row(id, &loaded.build)).await.expect("readable")
    }
}

fn row(id: BuildId, build: &Build) -> BuildSummary {
    let spec = build.spec.as_ref().expect("it was submitted");
    BuildSummary {
        id,
        tenant: spec.tenant.clone(),
        submitted_by: Some("tester".into()),
        status: build.status,
        title: spec.prompt.clone(),
        project: spec.project.clone(),
        labels: spec.labels.clone(),
        tasks: TaskCounts {
            total: u32::try_from(build.tasks.len()).expect("a small plan"),
            completed: build.completed,
        },
        cost_nano_usd: build.usage.total().cost_nano_usd,
        submitted_at: build.submitted_at.expect("it was submitted"),
        ended_at: build.ended_at,
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        noon()
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// A bound on what must come to pass: a story that hangs fails.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it did not come to pass")
}

pub(crate) fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}
