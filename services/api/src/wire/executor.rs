use super::texts;
use chrono::{DateTime, Utc};
use domain::{BuildId, TaskId, build::Work};
use ports::{BreakerState as Breaker, ExecutorStatus, RunningWork};
use serde::Serialize;
use utoipa::ToSchema;

/// The executors that are there, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExecutorList {
    /// The executors.
    #[schema(max_items = 100_000)]
    pub(crate) executors: Vec<ExecutorView>,
}

/// An executor, as it described itself last.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "name": "executor-01ARZ3NDEKTSV4RRFFQ69G5FAV", "version": "0.1.0", "pool": "default", "labels": ["gpu"],
    "slots": 4, "state": "working", "breaker": {"state": "closed"},
    "running": [{
        "buildId": "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV", "work": "task",
        "taskId": "tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV_0", "attempt": 1, "since": "2026-01-01T12:00:00Z",
    }],
    "startedAt": "2026-01-01T11:00:00Z", "seenAt": "2026-01-01T12:00:05Z",
})))]
pub(crate) struct ExecutorView {
    /// Its name, different at every start.
    #[schema(value_type = texts::ExecutorText)]
    name: String,
    /// The version of Buildwright it runs.
    #[schema(max_length = 64)]
    version: String,
    /// Whose work it takes.
    #[schema(value_type = texts::Pool)]
    pool: String,
    /// What tasks may ask for and it has.
    #[schema(value_type = Vec<texts::ExecutorLabel>, max_items = 1_000)]
    labels: Vec<String>,
    /// How much it does at once.
    slots: u32,
    /// What it is at.
    #[schema(max_items = 100_000)]
    running: Vec<RunningView>,
    /// Whether it takes work.
    state: super::ExecutorState,
    /// Whether the model answers it.
    breaker: BreakerView,
    /// When it started.
    started_at: DateTime<Utc>,
    /// When it said all this.
    seen_at: DateTime<Utc>,
}

/// An attempt that an executor is at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunningView {
    /// For which build.
    #[schema(value_type = texts::BuildId)]
    build_id: BuildId,
    /// What kind of work.
    work: WorkKind,
    /// Which task, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::TaskId>)]
    task_id: Option<TaskId>,
    /// Which try, from 1.
    #[schema(minimum = 1)]
    attempt: u32,
    /// Since when.
    since: DateTime<Utc>,
}

/// What an attempt is at: making the plan, a task, or merging the results of tasks.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum WorkKind {
    Plan,
    Task,
    Merge,
}

/// The circuit breaker before the model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BreakerView {
    /// `open` while nothing is tried, because attempt after attempt failed; `half_open` while one is.
    state: BreakerState,
    /// Until when nothing is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<DateTime<Utc>>,
    /// The class of the failure that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    reason: Option<String>,
}

/// Whether the model is tried.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

impl From<ExecutorStatus> for ExecutorView {
    fn from(status: ExecutorStatus) -> Self {
        Self {
            name: status.name.to_string(),
            version: status.version,
            pool: status.pool.into(),
            labels: status.labels.into_iter().map(String::from).collect(),
            slots: status.slots,
            running: status.running.into_iter().map(RunningView::from).collect(),
            state: status.state.into(),
            breaker: status.breaker.into(),
            started_at: status.started_at,
            seen_at: status.seen_at,
        }
    }
}

impl From<RunningWork> for RunningView {
    fn from(RunningWork { build, work, attempt, since }: RunningWork) -> Self {
        let (work, task_id) = match work {
            Work::Plan => (WorkKind::Plan, None),
            Work::Task(number) => (WorkKind::Task, Some(build.task(number))),
            Work::Merge => (WorkKind::Merge, None),
        };
        Self { build_id: build, work, task_id, attempt: attempt.0, since }
    }
}

impl From<Breaker> for BreakerView {
    fn from(breaker: Breaker) -> Self {
        match breaker {
            Breaker::Closed => Self { state: BreakerState::Closed, until: None, reason: None },
            Breaker::Open { until, reason } => {
                Self { state: BreakerState::Open, until: Some(until), reason: Some(reason) }
            }
            Breaker::HalfOpen => Self { state: BreakerState::HalfOpen, until: None, reason: None },
        }
    }
}
