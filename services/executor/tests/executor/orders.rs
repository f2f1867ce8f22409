//! The words the stories are told in.

use chrono::{DateTime, Utc};
use domain::{
    BuildId, Failure,
    build::{Attempt, BuildSpec, Limits, MergeResult, Outcome, Success, TaskResult, Work},
};
use plan::{Bounds, Plan, PlanDraft, TaskDraft, TaskNumber};
use ports::{ArtifactKey, TaskInput, WorkKind, WorkOrder};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use ulid::Ulid;

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

pub(crate) fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

/// A bound on what must come to pass: a story that hangs fails.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it did not come to pass")
}

fn order(of: u64, work: Work, kind: WorkKind) -> WorkOrder {
    let spec = BuildSpec {
        prompt: "make a shop".into(),
        project: "shop".parse().expect("a name"),
        repository: None,
        framework: None,
        model: "any".into(),
        limits: Limits::default(),
        labels: BTreeMap::new(),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    let (build, attempt, spec) = (build(of), Attempt::FIRST, Arc::new(spec));
    WorkOrder { build, work, attempt, spec, submitted_at: noon(), kind }
}

pub(crate) fn planning(of: u64, prompt: &str) -> WorkOrder {
    let mut order = order(of, Work::Plan, WorkKind::Plan { previous_failure: None });
    Arc::make_mut(&mut order.spec).prompt = prompt.into();
    order
}

pub(crate) fn merge(of: u64, inputs: Vec<TaskInput>) -> WorkOrder {
    order(of, Work::Merge, WorkKind::Merge { inputs })
}

pub(crate) fn task(of: u64, number: u32, draft: TaskDraft) -> WorkOrder {
    building_on(of, number, draft, Vec::new())
}

/// A task that starts from the results of others.
pub(crate) fn building_on(of: u64, number: u32, draft: TaskDraft, inputs: Vec<TaskInput>) -> WorkOrder {
    let plan = PlanDraft { tasks: vec![draft], ..PlanDraft::default() };
    let plan = Plan::validate(plan, &Bounds::default()).expect("a plan");
    let number = TaskNumber(number);
    let task = Box::new(plan.task(TaskNumber(0)).clone());
    order(of, Work::Task(number), WorkKind::Task { number, task, inputs, previous_failure: None })
}

/// A task for an agent that takes these turns.
pub(crate) fn scripted(targets: &[&str], turns: &Value) -> TaskDraft {
    TaskDraft {
        id: "t".into(),
        task_type: if targets.is_empty() { "agent" } else { "create_file" }.into(),
        prompt: format!("SCRIPTED: {turns}"),
        targets: targets.iter().map(|&target| target.to_owned()).collect(),
        ..TaskDraft::default()
    }
}

/// A task that writes one file.
pub(crate) fn writes(path: &str, content: &str) -> TaskDraft {
    let write = json!({
        "tool": { "name": "Write", "input": { "file_path": path, "content": content } },
        "usage": { "outputTokens": 1 },
    });
    scripted(&[path], &json!([write, { "text": "It is written.", "usage": { "outputTokens": 7 } }]))
}

pub(crate) fn command(command: &str) -> TaskDraft {
    TaskDraft {
        id: "t".into(),
        task_type: "command".into(),
        command: Some(command.into()),
        ..TaskDraft::default()
    }
}

/// What a task brought, as what others start from.
pub(crate) fn input(number: u32, result: &TaskResult) -> TaskInput {
    TaskInput {
        number: TaskNumber(number),
        title: format!("task {number}"),
        commit: result.commit.clone(),
        bundle: result.bundle.clone().map(|key| ArtifactKey::try_from(key).expect("a key")),
    }
}

pub(crate) fn task_result(outcome: Outcome) -> TaskResult {
    match outcome.result {
        Ok(Success::Task(result)) => result,
        other => panic!("expected a task's result, not {other:?}"),
    }
}

pub(crate) fn merge_result(outcome: Outcome) -> MergeResult {
    match outcome.result {
        Ok(Success::Merge(result)) => result,
        other => panic!("expected a merge's result, not {other:?}"),
    }
}

pub(crate) fn failure(outcome: Outcome) -> Failure {
    outcome.result.expect_err("it must fail")
}
