//! The words the stories are told in.

use chrono::{DateTime, Utc};
use domain::{
    BuildId, Failure, FailureClass, Usage,
    build::{Attempt, BuildSpec, Command, Limits, MergeResult, Outcome, Success, TaskResult, Work},
};
use plan::{Bounds, DependencyDraft, Plan, PlanDraft, TaskDraft, TaskNumber};
use std::collections::BTreeMap;
use ulid::Ulid;

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

pub(crate) fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

pub(crate) fn task(n: u32) -> Work {
    Work::Task(TaskNumber(n))
}

/// `b` and `c` wait for `a`, `d` waits for both.
pub(crate) fn diamond() -> Plan {
    plan(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])])
}

/// Tasks that wait for nothing.
pub(crate) fn independent(tasks: usize) -> Plan {
    let ids: Vec<String> = (0..tasks).map(|n| format!("t{n}")).collect();
    plan(&ids.iter().map(|id| (id.as_str(), [].as_slice())).collect::<Vec<_>>())
}

fn plan(tasks: &[(&str, &[&str])]) -> Plan {
    let mut draft = PlanDraft::default();
    for (id, before) in tasks {
        draft.tasks.push(TaskDraft {
            id: (*id).to_owned(),
            task_type: "agent".into(),
            title: Some(format!("Title of {id}")),
            prompt: "do it".into(),
            ..TaskDraft::default()
        });
        let depends_on = before.iter().map(|&id| id.to_owned()).collect();
        draft.dependencies.push(DependencyDraft { task: (*id).to_owned(), depends_on });
    }
    Plan::validate(draft, &Bounds::default()).expect("a plan")
}

pub(crate) fn submit(plan: impl Into<Option<Plan>>) -> Command {
    submit_within(3_600, plan)
}

pub(crate) fn submit_for(tenant: &str, plan: Plan) -> Command {
    match submit(plan) {
        Command::Submit { mut spec, plan, at } => {
            spec.tenant = tenant.parse().expect("a name");
            Command::Submit { spec, plan, at }
        }
        other => other,
    }
}

pub(crate) fn submit_within(build_timeout_seconds: u32, plan: impl Into<Option<Plan>>) -> Command {
    let spec = BuildSpec {
        prompt: "make a shop".into(),
        project: "shop".parse().expect("a name"),
        repository: None,
        framework: None,
        model: "any".into(),
        limits: Limits { build_timeout_seconds, max_parallel: 1_000, ..Limits::default() },
        labels: BTreeMap::new(),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    Command::Submit { spec, plan: plan.into(), at: noon() }
}

pub(crate) fn cancel() -> Command {
    Command::Cancel { reason: None, at: noon() }
}

pub(crate) fn lose(work: Work) -> Command {
    Command::Lose { work, attempt: Attempt::FIRST, at: noon() }
}

/// What an attempt brings. A task's commit tells its number, counted from 1.
pub(crate) fn success(work: Work) -> Outcome {
    let commit = |digit: u32| digit.to_string().repeat(40).parse().expect("an id");
    let success = match work {
        Work::Plan => Success::Plan(diamond()),
        Work::Task(number) => Success::Task(TaskResult {
            commit: commit(number.0 % 7 + 1),
            bundle: Some(format!("builds/x/task-{number}.bundle")),
            files_changed: 1,
            summary: String::new(),
        }),
        Work::Merge => Success::Merge(MergeResult {
            base: commit(8),
            commit: commit(9),
            branch: "main".into(),
            files_changed: 4,
        }),
    };
    Outcome { result: Ok(success), usage: Usage::default(), session_id: None, duration_ms: 1 }
}

pub(crate) fn failure(class: FailureClass, message: &str) -> Outcome {
    let result = Err(Failure::new(class, message));
    Outcome { result, usage: Usage::default(), session_id: None, duration_ms: 1 }
}
