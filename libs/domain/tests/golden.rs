//! Events as they were ever stored: each can still be read, and the newest version is still written alike.
//!
//! A golden file is never changed. A new version of an event adds a file and a row; the row of the older
//! version then holds what the older file is read as.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod words;

use buildwright_domain::{
    Build, Failure, FailureClass, ModelUsage, Usage,
    build::{
        Attempt, BuildEvent, BuildSpec, BuildStatus, Limits, MergeResult, PlanSource, Repository, TaskResult,
        TaskStatus, Work, data,
    },
};
use chrono::{DateTime, Utc};
use plan::{Plan, TaskNumber};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};
use words::fold;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    kind: String,
    version: u16,
    payload: Value,
}

impl Stored {
    fn decode(&self) -> BuildEvent {
        BuildEvent::decode(&self.kind, self.version, &self.payload.to_string()).unwrap()
    }
}

fn golden(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

/// The value of each golden file, every optional field given.
fn expected() -> Vec<(u16, BuildEvent)> {
    vec![
        (1, data::BuildSubmitted { spec: spec(), at: at() }.into()),
        (1, data::BuildStarted { at: at() }.into()),
        (1, data::PlanningScheduled { attempt: Attempt(2), not_before: Some(at()) }.into()),
        (1, data::PlanningStarted { attempt: Attempt(2), executor: "exec-1".into(), at: at() }.into()),
        (1, planning_failed()),
        (1, plan_generated()),
        (1, data::TaskScheduled { task: TaskNumber(3), attempt: Attempt(2), not_before: Some(at()) }.into()),
        (1, task_started()),
        (1, task_completed()),
        (1, task_failed()),
        (1, task_timeout()),
        (1, data::AttemptLost { work: Work::Task(TaskNumber(3)), attempt: Attempt(2), at: at() }.into()),
        (1, data::MergeScheduled { attempt: Attempt(2), not_before: Some(at()) }.into()),
        (1, data::MergeCompleted { attempt: Attempt(2), result: merge_result(), at: at() }.into()),
        (1, merge_failed()),
        (1, data::UsageRecorded { work: Work::Plan, attempt: Attempt(2), usage: usage(), at: at() }.into()),
        (1, data::BuildCompleted { at: at() }.into()),
        (1, build_failed()),
        (1, data::BuildCancelled { reason: Some("no longer needed".into()), at: at() }.into()),
    ]
}

fn at() -> DateTime<Utc> {
    "2026-03-04T05:06:07.123456789Z".parse().unwrap()
}

fn usage() -> Usage {
    let usage = ModelUsage {
        input_tokens: 1,
        output_tokens: 2,
        cache_read_tokens: 3,
        cache_creation_tokens: 4,
        cost_nano_usd: 5,
    };
    Usage { by_model: BTreeMap::from([("claude-opus-4-1".to_owned(), usage)]) }
}

fn failure(class: FailureClass) -> Failure {
    Failure { class, message: "what happened".into() }
}

fn spec() -> BuildSpec {
    BuildSpec {
        prompt: "Make a page.\nIn “blue”.".into(),
        project: "shop".parse().unwrap(),
        repository: Some(Repository {
            url: "https://example.com/shop.git".parse().unwrap(),
            branch: Some("main".parse().unwrap()),
        }),
        framework: Some("react".into()),
        model: "claude-opus-4-1".into(),
        limits: Limits {
            task_timeout_seconds: 60,
            build_timeout_seconds: 900,
            max_cost_nano_usd: Some(2_500_000_000),
            max_parallel: 5,
            max_attempts: 2,
        },
        labels: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    }
}

fn plan() -> Plan {
    serde_json::from_value(json!({
        "summary": "A page",
        "tasks": [
            {"id": "page", "type": "create_file", "title": "The page", "prompt": "html", "targets": ["a.html"],
             "check": "test -s a.html", "timeoutSeconds": 30, "model": "claude-haiku-4-5"},
            {"id": "lint", "type": "command", "command": "make lint"},
        ],
        "dependencies": [{"task": "lint", "dependsOn": ["page"]}],
    }))
    .unwrap()
}

fn merge_result() -> MergeResult {
    MergeResult {
        base: "b".repeat(40).parse().unwrap(),
        commit: "c".repeat(40).parse().unwrap(),
        branch: "main".into(),
        files_changed: 7,
    }
}

fn planning_failed() -> BuildEvent {
    let (failure, usage) = (failure(FailureClass::InvalidPlan), usage());
    data::PlanningFailed { attempt: Attempt(2), failure, will_retry: true, usage, at: at() }.into()
}

fn plan_generated() -> BuildEvent {
    let (source, session_id) = (PlanSource::Model, Some("s-1".to_owned()));
    data::PlanGenerated { plan: plan(), source, usage: usage(), session_id, duration_ms: 8, at: at() }.into()
}

fn task_started() -> BuildEvent {
    let (task, attempt) = (TaskNumber(3), Attempt(2));
    data::TaskStarted { task, attempt, executor: "exec-1".into(), at: at() }.into()
}

fn task_completed() -> BuildEvent {
    data::TaskCompleted {
        task: TaskNumber(3),
        attempt: Attempt(2),
        result: TaskResult {
            commit: "a".repeat(40).parse().unwrap(),
            bundle: Some("bundles/3".into()),
            files_changed: 6,
            summary: "Wrote the page.".into(),
        },
        usage: usage(),
        session_id: Some("s-1".into()),
        duration_ms: 8,
        at: at(),
    }
    .into()
}

fn task_failed() -> BuildEvent {
    data::TaskFailed {
        task: TaskNumber(3),
        attempt: Attempt(2),
        failure: failure(FailureClass::CheckFailed),
        will_retry: false,
        usage: usage(),
        session_id: Some("s-1".into()),
        duration_ms: 8,
        at: at(),
    }
    .into()
}

fn task_timeout() -> BuildEvent {
    data::TaskTimeout {
        task: TaskNumber(3),
        attempt: Attempt(2),
        failure: failure(FailureClass::Timeout),
        will_retry: true,
        usage: usage(),
        session_id: Some("s-1".into()),
        duration_ms: 8,
        at: at(),
    }
    .into()
}

fn merge_failed() -> BuildEvent {
    let failure = failure(FailureClass::MergeConflict);
    data::MergeFailed { attempt: Attempt(2), failure, will_retry: false, at: at() }.into()
}

fn build_failed() -> BuildEvent {
    let failure = failure(FailureClass::CheckFailed);
    data::BuildFailed { failure, task: Some(TaskNumber(3)), at: at() }.into()
}

#[test]
fn every_stored_event_is_read_as_what_it_was_and_written_again_alike() {
    for (version, event) in expected() {
        let stored: Stored =
            serde_json::from_str(&golden(&format!("{}.v{version}.json", event.kind()))).unwrap();
        assert_eq!((stored.kind.as_str(), stored.version), (event.kind(), version));
        assert_eq!(stored.decode(), event);
        if version == event.schema_version() {
            let written: Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
            assert_eq!(written, stored.payload, "{}", event.kind());
        }
    }
}

#[test]
fn every_version_of_every_kind_has_a_golden_file() {
    let snapshot = format!("snapshot.v{}.json", Build::SNAPSHOT_VERSION);
    let mut names = vec!["endpoint".to_owned(), "stream.json".to_owned(), snapshot];
    for kind in BuildEvent::KINDS {
        let versions: Vec<(u16, BuildEvent)> =
            expected().into_iter().filter(|(_, event)| event.kind() == *kind).collect();
        let current = versions.first().map_or(1, |(_, event)| event.schema_version());
        assert!((1..=current).eq(versions.iter().map(|(version, _)| *version)), "rows of {kind}");
        names.extend(versions.iter().map(|(version, _)| format!("{kind}.v{version}.json")));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    found.sort();
    assert_eq!(found, names);
}

#[test]
fn what_may_be_left_out_of_an_event_is_left_out() {
    for (kind, json) in [
        ("planning_scheduled", r#"{"attempt":1}"#),
        ("task_scheduled", r#"{"task":0,"attempt":1}"#),
        ("merge_scheduled", r#"{"attempt":1}"#),
        ("build_cancelled", r#"{"at":"2026-03-04T05:06:07Z"}"#),
        ("build_failed", r#"{"failure":{"class":"timeout","message":"over"},"at":"2026-03-04T05:06:07Z"}"#),
        (
            "task_failed",
            concat!(
                r#"{"task":0,"attempt":1,"failure":{"class":"crashed","message":"died"},"willRetry":false,"#,
                r#""durationMs":8,"at":"2026-03-04T05:06:07Z"}"#
            ),
        ),
    ] {
        let event = BuildEvent::decode(kind, 1, json).unwrap();
        assert_eq!(event.encode().unwrap(), json);
    }
}

#[test]
fn the_type_in_an_events_own_json_is_its_kind() {
    for (_, event) in expected() {
        assert_eq!(serde_json::to_value(&event).unwrap()["type"], event.kind());
    }
}

#[test]
fn an_event_of_the_future_or_a_damaged_one_is_an_error_that_names_it() {
    let future = BuildEvent::decode("build_started", 99, "{}").unwrap_err().to_string();
    assert_eq!(future, r#"event type "build_started" version 99 is not known to this version"#);
    assert!(BuildEvent::decode("build_paused", 1, "{}").is_err());
    let damaged = BuildEvent::decode("build_started", 1, "{}").unwrap_err().to_string();
    assert_eq!(damaged, r#"event of type "build_started" version 1: missing field `at` at line 1 column 2"#);
}

#[test]
fn a_whole_build_is_folded_to_what_it_became() {
    let stored: Vec<Stored> = serde_json::from_str(&golden("stream.json")).unwrap();
    let events: Vec<BuildEvent> = stored.iter().map(Stored::decode).collect();
    let build = fold(&events);

    let second =
        |second| "2026-03-04T05:06:00Z".parse::<DateTime<Utc>>().unwrap() + chrono::Duration::seconds(second);
    assert_eq!(build.status, BuildStatus::Completed);
    assert_eq!((build.submitted_at, build.started_at), (Some(second(0)), Some(second(1))));
    assert_eq!((build.ended_at, build.deadline()), (Some(second(16)), Some(second(900))));
    assert_eq!((build.plan_source, build.planning.attempt), (Some(PlanSource::Model), 2));
    let tasks: Vec<(TaskStatus, u32, u32, u32)> = build
        .tasks
        .iter()
        .map(|task| (task.status, task.track.attempt, task.track.failures, task.track.losses))
        .collect();
    assert_eq!(tasks, [(TaskStatus::Completed, 3, 1, 1), (TaskStatus::Completed, 2, 1, 0)]);
    assert_eq!((build.completed, build.open_work().count()), (2, 0));
    assert_eq!(build.result, Some(merge_result()));
    assert_eq!((build.failure.clone(), build.failed_task), (None, None));
    let total = build.usage.total();
    assert_eq!((total.input_tokens, total.output_tokens, total.cost_nano_usd), (5, 10, 25));

    for (stored, event) in stored.iter().zip(&events) {
        let written: Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
        assert_eq!(written, stored.payload, "{}", stored.kind);
    }
}

#[derive(Deserialize)]
struct Snapshot {
    /// The fold of so many events of the golden stream …
    events: usize,
    /// … is this.
    state: Value,
}

/// If this fails, `Build::SNAPSHOT_VERSION` is due to be raised, and the file of the version before to be replaced:
/// snapshots of older versions are never read.
#[test]
fn the_same_events_fold_to_the_same_snapshot() {
    let stored: Vec<Stored> = serde_json::from_str(&golden("stream.json")).unwrap();
    let events: Vec<BuildEvent> = stored.iter().map(Stored::decode).collect();
    let name = format!("snapshot.v{}.json", Build::SNAPSHOT_VERSION);
    let snapshots: Vec<Snapshot> = serde_json::from_str(&golden(&name)).unwrap();
    assert_eq!(snapshots.last().unwrap().events, events.len());
    for Snapshot { events: count, state } in snapshots {
        let build = fold(&events[..count]);
        let written: Value = serde_json::from_str(&build.snapshot().unwrap()).unwrap();
        assert_eq!(written, state, "after {count} events");
        assert_eq!(Build::from_snapshot(Build::SNAPSHOT_VERSION, &state.to_string()).unwrap(), build);
    }
}

#[test]
fn a_snapshot_of_another_version_or_a_damaged_one_is_an_error() {
    let whole = Build::default().snapshot().unwrap();
    Build::from_snapshot(Build::SNAPSHOT_VERSION, &whole).unwrap();
    for other in [Build::SNAPSHOT_VERSION - 1, Build::SNAPSHOT_VERSION + 1] {
        Build::from_snapshot(other, &whole).unwrap_err();
    }
    Build::from_snapshot(Build::SNAPSHOT_VERSION, &whole[..whole.len() / 2]).unwrap_err();
}
