//! Orders and reports survive the way between processes, of one version or of two.
#![expect(clippy::expect_used, reason = "a story that cannot go on must stop")]

use buildwright_ports::{ExecutorName, OutcomeReport, TaskInput, WireError, WorkKind, WorkOrder};
use domain::{
    BuildId, Failure, FailureClass, Usage,
    build::{Attempt, BuildSpec, Limits, Outcome, Success, TaskResult, Work},
};
use plan::{Bounds, Plan, PlanDraft, TaskDraft, TaskNumber};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn plan() -> Plan {
    let task = TaskDraft {
        id: "page".into(),
        task_type: "create_file".into(),
        prompt: "Write a page \u{1f980}".into(),
        targets: vec!["index.html".into()],
        check: Some("test -s index.html".into()),
        timeout_seconds: Some(30),
        ..TaskDraft::default()
    };
    let draft = PlanDraft { tasks: vec![task], ..PlanDraft::default() };
    Plan::validate(draft, &Bounds::NONE).expect("valid")
}

fn order(kind: WorkKind) -> WorkOrder {
    let spec = BuildSpec {
        prompt: "make a \"shop\"\n".to_owned(),
        project: "shop".to_owned().try_into().expect("a name"),
        repository: None,
        framework: Some("axum".to_owned()),
        model: "any".to_owned(),
        limits: Limits::default(),
        labels: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    WorkOrder {
        build: build(),
        work: Work::Task(TaskNumber(0)),
        attempt: Attempt(2),
        spec: Arc::new(spec),
        submitted_at: "2026-03-01T12:00:00.123456789Z".parse().expect("a time"),
        kind,
    }
}

fn build() -> BuildId {
    "bld_01J00000000000000000000001".parse().expect("an id")
}

fn input() -> TaskInput {
    TaskInput {
        number: TaskNumber(7),
        title: "Before".to_owned(),
        commit: COMMIT.parse().expect("a commit"),
        bundle: Some("builds/b/7.bundle".to_owned().try_into().expect("a key")),
    }
}

#[test]
fn an_order_arrives_as_it_was_sent() {
    let task = Box::new(plan().tasks()[0].clone());
    for kind in [
        WorkKind::Plan { previous_failure: None },
        WorkKind::Plan { previous_failure: Some("no plan".to_owned()) },
        WorkKind::Task { number: TaskNumber(0), task, inputs: vec![input()], previous_failure: None },
        WorkKind::Merge { inputs: vec![input(), TaskInput { bundle: None, ..input() }] },
    ] {
        let sent = order(kind);
        assert_eq!(WorkOrder::decode(&sent.encode().expect("encoded")).expect("read"), sent);
    }
}

#[test]
fn a_report_arrives_as_it_was_sent() {
    let (work, attempt, executor) = (Work::Plan, Attempt(1), ExecutorName("pool-1".into()));
    let started = OutcomeReport::Started { build: build(), work, attempt, executor: executor.clone() };
    let result = TaskResult {
        commit: COMMIT.parse().expect("a commit"),
        bundle: None,
        files_changed: 3,
        summary: "done".to_owned(),
    };
    let results = [
        Ok(Success::Plan(plan())),
        Ok(Success::Task(result)),
        Err(Failure::new(FailureClass::CheckFailed, "exited with 1")),
    ];
    let finished = results.map(|result| {
        let outcome = Outcome { result, usage: Usage::default(), session_id: None, duration_ms: 5 };
        OutcomeReport::Finished { build: build(), work, attempt, executor: executor.clone(), outcome }
    });
    for sent in std::iter::once(started).chain(finished) {
        assert_eq!(OutcomeReport::decode(&sent.encode().expect("encoded")).expect("read"), sent);
    }
}

fn as_json(order: &WorkOrder) -> Value {
    serde_json::from_slice(&order.encode().expect("encoded")).expect("JSON")
}

#[test]
fn what_a_later_release_adds_within_a_version_is_passed_over() {
    let sent = order(WorkKind::Merge { inputs: Vec::new() });
    let mut json = as_json(&sent);
    json["body"]["pool"] = json!("large");
    json["trace"] = json!("00-1-2");
    assert_eq!(WorkOrder::decode(json.to_string().as_bytes()).expect("read"), sent);
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let mut json = as_json(&order(WorkKind::Merge { inputs: Vec::new() }));
    json["schemaVersion"] = json!(2);
    json["body"] = json!("something this version cannot know");
    assert!(matches!(WorkOrder::decode(json.to_string().as_bytes()), Err(WireError::Newer(2))));
    for damaged in ["", "{}", "null", r#"{"schemaVersion":1,"body":{}}"#, r#"{"schemaVersion":1}"#] {
        assert!(matches!(WorkOrder::decode(damaged.as_bytes()), Err(WireError::Malformed(_))), "{damaged}");
    }
}

/// Another release reads these bytes: they change with a new version only.
#[test]
fn the_form_of_version_1_stands() {
    let started = OutcomeReport::Started {
        build: build(),
        work: Work::Task(TaskNumber(3)),
        attempt: Attempt(2),
        executor: ExecutorName("pool-1".into()),
    };
    assert_eq!(
        String::from_utf8(started.encode().expect("encoded")).expect("text"),
        r#"{"schemaVersion":1,"body":{"type":"started","build":"bld_01J00000000000000000000001","work":{"task":3},"attempt":2,"executor":"pool-1"}}"#
    );
    let task = Box::new(plan().tasks()[0].clone());
    let sent =
        order(WorkKind::Task { number: TaskNumber(0), task, inputs: vec![input()], previous_failure: None });
    let kind = json!({
        "type": "task",
        "number": 0,
        "task": {
            "key": "page", "taskType": "create_file", "title": "page", "prompt": "Write a page \u{1f980}",
            "targets": ["index.html"], "command": null, "check": "test -s index.html",
            "timeoutSeconds": 30, "model": null
        },
        "inputs": [{"number": 7, "title": "Before", "commit": COMMIT, "bundle": "builds/b/7.bundle"}],
    });
    assert_eq!(as_json(&sent)["body"]["kind"], kind);
    assert_eq!(as_json(&sent)["body"]["submittedAt"], "2026-03-01T12:00:00.123456789Z");
}
