//! Events and rows to store, and how to tell that a log is whole.

use chrono::{DateTime, Utc};
use domain::{BuildId, build::BuildStatus};
use names::TenantName;
use ports::{
    Append, AppendError, BuildSummary, EventStore, Metadata, NewEvent, Position, RecordedEvent, StoreError,
    StreamId, TaskCounts, Version,
};
use std::collections::{BTreeMap, HashMap};
use ulid::Ulid;

/// The build of a number.
#[must_use]
pub fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

/// The stream of a number.
#[must_use]
pub fn stream(n: u64) -> StreamId {
    StreamId::Build(build(n))
}

/// A time with more digits than are kept.
#[must_use]
pub fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00.123456789Z".parse().expect("a time")
}

/// Events whose payloads tell the version they are going to have.
#[must_use]
pub fn append(stream: StreamId, expected: u64, events: u64) -> Append {
    let payload = |n| format!(r#"{{"version":{},"text":"a \"quoted\" 🦀"}}"#, expected + n);
    append_of(stream, expected, (1..=events).map(payload).collect())
}

/// Events with these payloads.
#[must_use]
pub fn append_of(stream: StreamId, expected: u64, payloads: Vec<String>) -> Append {
    let event = |payload| NewEvent { kind: "task_started", schema_version: 1, payload };
    Append {
        stream,
        expected: Version(expected),
        events: payloads.into_iter().map(event).collect(),
        metadata: Metadata { actor: Some("tester".into()), tenant: TenantName::default() },
        recorded_at: noon(),
    }
}

/// The whole log, read in pages.
pub async fn whole_log(store: &dyn EventStore) -> Vec<RecordedEvent> {
    let mut log: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = log.last().map_or(Position(0), |event| event.position);
        let page = store.read_all(after, 1_000).await.expect("a page");
        if page.is_empty() {
            return log;
        }
        log.extend(page);
    }
}

/// Positions are 1, 2, 3 …; so are the versions of each stream.
pub fn assert_dense(log: &[RecordedEvent]) {
    let mut versions = HashMap::<StreamId, u64>::new();
    for (event, position) in log.iter().zip(1..) {
        assert_eq!(event.position, Position(position));
        let version = versions.entry(event.stream).or_default();
        *version += 1;
        assert_eq!(event.version, Version(*version), "of {} at {position}", event.stream);
    }
}

/// Like [`assert_dense`], of a log of nothing but what [`append`] makes: every payload is what was appended
/// there.
pub fn assert_whole(log: &[RecordedEvent]) {
    assert_dense(log);
    for event in log {
        let begin = format!(r#"{{"version":{},"#, event.version);
        assert!(event.payload.starts_with(&begin), "{} at {}", event.payload, event.position);
    }
}

/// What the store said of why it is not available.
///
/// # Panics
/// If it is.
pub fn unavailable<T: std::fmt::Debug>(result: Result<T, AppendError>) -> String {
    match result {
        Err(AppendError::Store(error @ StoreError::Unavailable(_))) => error.to_string(),
        other => panic!("expected an unavailable store, not {other:?}"),
    }
}

/// The row of the build of a number.
#[must_use]
pub fn summary(n: u64) -> BuildSummary {
    BuildSummary {
        id: build(n),
        tenant: TenantName::default(),
        submitted_by: Some("tester".into()),
        status: BuildStatus::Queued,
        title: format!("Build no. {n}: “quoted” 🦀"),
        project: "shop".parse().expect("a name"),
        labels: BTreeMap::new(),
        tasks: TaskCounts { total: 3, completed: 1 },
        cost_nano_usd: n * 1_000_000,
        submitted_at: "2026-03-01T12:00:00.123456Z".parse().expect("a time"),
        ended_at: None,
    }
}

/// Labels of names and values.
#[must_use]
pub fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
