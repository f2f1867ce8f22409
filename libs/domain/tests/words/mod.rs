//! The words the stories and properties of a build are told in.

#![allow(dead_code, unreachable_pub, reason = "each test file uses some of them")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use buildwright_domain::{
    Build, Failure, FailureClass, ModelUsage, Usage,
    build::{
        Attempt, BuildEvent, BuildSpec, Command, Limits, MergeResult, Outcome, PlanSource, Success,
        TaskResult, Work, data,
    },
};
use chrono::{DateTime, Utc};
use plan::{Bounds, DependencyDraft, Plan, PlanDraft, TaskDraft, TaskNumber};
use std::collections::BTreeMap;

/// A second of the test's time.
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// When commands are given and events happen, unless a story says otherwise.
pub fn now() -> DateTime<Utc> {
    at(10)
}

pub fn spec(limits: Limits) -> BuildSpec {
    BuildSpec {
        prompt: "make a page".into(),
        project: "shop".parse().unwrap(),
        repository: None,
        framework: None,
        model: "opus".into(),
        limits,
        labels: BTreeMap::new(),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    }
}

pub fn parallel(max_parallel: u32) -> Limits {
    Limits { max_parallel, ..Limits::default() }
}

/// A plan of `create_file` tasks: each with its id and the ids it waits for.
pub fn plan(tasks: &[(&str, &[&str])]) -> Plan {
    typed_plan("create_file", tasks)
}

pub fn typed_plan(task_type: &str, tasks: &[(&str, &[&str])]) -> Plan {
    let draft = PlanDraft {
        summary: None,
        tasks: tasks
            .iter()
            .map(|(id, _)| TaskDraft {
                id: (*id).to_owned(),
                task_type: task_type.to_owned(),
                prompt: "do it".into(),
                targets: vec![format!("{id}.txt")],
                command: (task_type == "command").then(|| "make".into()),
                ..TaskDraft::default()
            })
            .collect(),
        dependencies: tasks
            .iter()
            .map(|(id, before)| DependencyDraft {
                task: (*id).to_owned(),
                depends_on: before.iter().map(|&id| id.to_owned()).collect(),
            })
            .collect(),
    };
    Plan::validate(draft, &Bounds::default()).unwrap()
}

/// `b` and `c` wait for `a`, `d` waits for both.
pub fn diamond() -> Plan {
    plan(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])])
}

pub fn failure(class: FailureClass) -> Failure {
    Failure::new(class, format!("{class:?} happened"))
}

pub fn usage(tokens: u64) -> Usage {
    let usage = ModelUsage { output_tokens: tokens, cost_nano_usd: tokens * 1_000, ..ModelUsage::default() };
    Usage { by_model: BTreeMap::from([("opus".to_owned(), usage)]) }
}

pub fn task_result(files_changed: u32) -> TaskResult {
    TaskResult {
        commit: "1".repeat(40).parse().unwrap(),
        bundle: None,
        files_changed,
        summary: String::new(),
    }
}

pub fn merge_result() -> MergeResult {
    MergeResult {
        base: "2".repeat(40).parse().unwrap(),
        commit: "3".repeat(40).parse().unwrap(),
        branch: "builds/1".into(),
        files_changed: 4,
    }
}

pub fn task(number: u32) -> Work {
    Work::Task(TaskNumber(number))
}

// Commands

pub fn submit(spec: BuildSpec, plan: Option<Plan>) -> Command {
    Command::Submit { spec, plan, at: at(0) }
}

pub fn start(work: Work, attempt: u32) -> Command {
    Command::Start { work, attempt: Attempt(attempt), executor: "e1".into(), at: now() }
}

pub fn finish(work: Work, attempt: u32, result: Result<Success, Failure>) -> Command {
    finish_for(work, attempt, result, Usage::default())
}

pub fn finish_for(work: Work, attempt: u32, result: Result<Success, Failure>, usage: Usage) -> Command {
    let outcome = Outcome { result, usage, session_id: None, duration_ms: 7 };
    Command::Finish { work, attempt: Attempt(attempt), outcome, at: now() }
}

pub fn succeed(number: u32, attempt: u32) -> Command {
    finish(task(number), attempt, Ok(Success::Task(task_result(1))))
}

pub fn fail(number: u32, attempt: u32, class: FailureClass) -> Command {
    finish(task(number), attempt, Err(failure(class)))
}

pub fn lose(work: Work, attempt: u32) -> Command {
    Command::Lose { work, attempt: Attempt(attempt), at: now() }
}

pub fn cancel() -> Command {
    Command::Cancel { reason: Some("enough".into()), at: now() }
}

// Events

pub fn submitted(limits: Limits) -> BuildEvent {
    data::BuildSubmitted { spec: spec(limits), at: at(0) }.into()
}

pub fn build_started() -> BuildEvent {
    data::BuildStarted { at: now() }.into()
}

pub fn planning_scheduled(attempt: u32) -> BuildEvent {
    data::PlanningScheduled { attempt: Attempt(attempt), not_before: None }.into()
}

pub fn planning_started(attempt: u32) -> BuildEvent {
    data::PlanningStarted { attempt: Attempt(attempt), executor: "e1".into(), at: now() }.into()
}

pub fn planning_failed(attempt: u32, class: FailureClass, will_retry: bool) -> BuildEvent {
    let (attempt, failure) = (Attempt(attempt), failure(class));
    data::PlanningFailed { attempt, failure, will_retry, usage: Usage::default(), at: now() }.into()
}

pub fn plan_generated(plan: Plan, source: PlanSource) -> BuildEvent {
    let (duration_ms, at) = match source {
        PlanSource::Client => (0, at(0)),
        PlanSource::Model => (7, now()),
    };
    data::PlanGenerated { plan, source, usage: Usage::default(), session_id: None, duration_ms, at }.into()
}

pub fn scheduled(number: u32, attempt: u32) -> BuildEvent {
    scheduled_after(number, attempt, None)
}

pub fn scheduled_after(number: u32, attempt: u32, not_before: Option<DateTime<Utc>>) -> BuildEvent {
    data::TaskScheduled { task: TaskNumber(number), attempt: Attempt(attempt), not_before }.into()
}

pub fn started(number: u32, attempt: u32) -> BuildEvent {
    let (task, attempt) = (TaskNumber(number), Attempt(attempt));
    data::TaskStarted { task, attempt, executor: "e1".into(), at: now() }.into()
}

pub fn completed(number: u32, attempt: u32) -> BuildEvent {
    completed_for(number, attempt, Usage::default())
}

pub fn completed_for(number: u32, attempt: u32, usage: Usage) -> BuildEvent {
    let (task, attempt, result) = (TaskNumber(number), Attempt(attempt), task_result(1));
    data::TaskCompleted { task, attempt, result, usage, session_id: None, duration_ms: 7, at: now() }.into()
}

pub fn failed(number: u32, attempt: u32, failure: Failure, will_retry: bool) -> BuildEvent {
    failed_for(number, attempt, failure, will_retry, Usage::default())
}

pub fn failed_for(number: u32, attempt: u32, failure: Failure, will_retry: bool, usage: Usage) -> BuildEvent {
    let (task, attempt) = (TaskNumber(number), Attempt(attempt));
    let (session_id, duration_ms, at) = (None, 7, now());
    data::TaskFailed { task, attempt, failure, will_retry, usage, session_id, duration_ms, at }.into()
}

pub fn timed_out(number: u32, attempt: u32, will_retry: bool) -> BuildEvent {
    let (task, attempt, failure) = (TaskNumber(number), Attempt(attempt), failure(FailureClass::Timeout));
    let (usage, session_id, duration_ms, at) = (Usage::default(), None, 7, now());
    data::TaskTimeout { task, attempt, failure, will_retry, usage, session_id, duration_ms, at }.into()
}

pub fn lost(work: Work, attempt: u32) -> BuildEvent {
    data::AttemptLost { work, attempt: Attempt(attempt), at: now() }.into()
}

pub fn merge_scheduled(attempt: u32, not_before: Option<DateTime<Utc>>) -> BuildEvent {
    data::MergeScheduled { attempt: Attempt(attempt), not_before }.into()
}

pub fn merge_completed(attempt: u32) -> BuildEvent {
    data::MergeCompleted { attempt: Attempt(attempt), result: merge_result(), at: now() }.into()
}

pub fn merge_failed(attempt: u32, class: FailureClass, will_retry: bool) -> BuildEvent {
    data::MergeFailed { attempt: Attempt(attempt), failure: failure(class), will_retry, at: now() }.into()
}

pub fn usage_recorded(work: Work, attempt: u32, usage: Usage) -> BuildEvent {
    data::UsageRecorded { work, attempt: Attempt(attempt), usage, at: now() }.into()
}

pub fn build_completed() -> BuildEvent {
    data::BuildCompleted { at: now() }.into()
}

pub fn build_failed(failure: Failure, task: Option<u32>) -> BuildEvent {
    data::BuildFailed { failure, task: task.map(TaskNumber), at: now() }.into()
}

pub fn build_cancelled() -> BuildEvent {
    data::BuildCancelled { reason: Some("enough".into()), at: now() }.into()
}

pub fn fold(events: &[BuildEvent]) -> Build {
    let mut build = Build::default();
    for event in events {
        build.apply(event);
    }
    build
}
