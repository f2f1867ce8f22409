use super::{FailureView, TaskStatus, TaskType, UsageView, texts};
use chrono::{DateTime, Utc};
use domain::{Build, BuildId, TaskId};
use plan::TaskNumber;
use serde::Serialize;
use utoipa::ToSchema;

/// The tasks of a build, in the order of its plan.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskList {
    /// The tasks; none before there is a plan.
    #[schema(max_items = 10_000)]
    pub(crate) tasks: Vec<TaskView>,
}

/// A task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskView {
    /// Its id.
    #[schema(value_type = texts::TaskId)]
    id: TaskId,
    /// The build it belongs to.
    #[schema(value_type = texts::BuildId)]
    build_id: BuildId,
    /// Its place in the plan, from 0; events name it by this.
    number: u32,
    /// Its name in the plan.
    #[schema(value_type = texts::TaskKey)]
    key: String,
    /// What kind of work it is.
    #[serde(rename = "type")]
    kind: TaskType,
    /// One line about it.
    #[schema(max_length = 100_000)]
    title: String,
    /// What is asked.
    #[schema(max_length = 100_000)]
    prompt: String,
    /// Where it stands.
    status: TaskStatus,
    /// The newest attempt; 0 before the first.
    attempt: u32,
    /// The tasks it waits for.
    #[schema(value_type = Vec<texts::TaskId>, max_items = 10_000)]
    depends_on: Vec<TaskId>,
    /// Files it must create or change.
    #[schema(value_type = Vec<texts::FilePath>, max_items = 100)]
    targets: Vec<String>,
    /// The shell command of a `command` task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    command: Option<String>,
    /// The shell command that must exit 0 after the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    check: Option<String>,
    /// The model, if it differs from the build's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::ModelName>)]
    model: Option<String>,
    /// Labels that its executor must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<texts::ExecutorLabel>, max_items = 4, required = false)]
    requires: Vec<String>,
    /// Seconds that one attempt may take.
    timeout_seconds: u32,
    /// When the newest attempt was taken up.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// What all its attempts cost so far.
    usage: UsageView,
    /// Why the last failed attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
    /// The commit it ended in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::CommitId>)]
    commit: Option<String>,
    /// How many files it added, changed or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    files_changed: Option<u32>,
    /// What the model said at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2_000)]
    summary: Option<String>,
    /// The Claude session of the last ended attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::SessionId>)]
    session_id: Option<String>,
}

impl TaskView {
    /// The task of that number; `None` if the build has none.
    pub(crate) fn of(build_id: BuildId, build: &Build, number: TaskNumber) -> Option<Self> {
        let state = build.tasks.get(number.index())?;
        let plan = build.plan.as_ref()?;
        let planned = plan.tasks().get(number.index())?;
        let default_timeout = build.spec.as_ref()?.limits.task_timeout_seconds;
        let result = state.result.as_ref();
        Some(Self {
            id: build_id.task(number),
            build_id,
            number: number.0,
            key: planned.key.to_string(),
            kind: planned.task_type.into(),
            title: planned.title.clone(),
            prompt: planned.prompt.clone(),
            status: state.status.into(),
            attempt: state.track.attempt,
            depends_on: plan.predecessors(number).map(|before| build_id.task(before)).collect(),
            targets: planned.targets.iter().map(ToString::to_string).collect(),
            command: planned.command.clone(),
            check: planned.check.clone(),
            model: planned.model.clone(),
            requires: planned.requires.iter().map(ToString::to_string).collect(),
            timeout_seconds: planned.timeout_seconds.unwrap_or(default_timeout),
            started_at: state.started_at,
            ended_at: state.ended_at,
            usage: UsageView::from(&state.usage),
            failure: state.failure.as_ref().map(|failure| FailureView::of(failure, None)),
            commit: result.map(|result| result.commit.to_string()),
            files_changed: result.map(|result| result.files_changed),
            summary: result.map(|result| result.summary.clone()).filter(|text| !text.is_empty()),
            session_id: state.session_id.clone(),
        })
    }

    /// Every task of a build.
    pub(crate) fn all(build_id: BuildId, build: &Build) -> Vec<Self> {
        let numbers = build.plan.as_ref().into_iter().flat_map(|plan| plan.numbers());
        numbers.filter_map(|number| Self::of(build_id, build, number)).collect()
    }
}
