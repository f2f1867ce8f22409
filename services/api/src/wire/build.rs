use super::{BuildStatus, FailureClass, UsageView, texts, usage::usd};
use chrono::{DateTime, Utc};
use commands::Loaded;
use domain::{
    BuildId, EndpointId, Failure, TaskId,
    build::{BuildSpec, Limits, MergeResult, TaskState, TaskStatus},
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;

/// A build.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildView {
    /// Its id.
    #[schema(value_type = texts::BuildId)]
    id: BuildId,
    /// Where it stands.
    status: BuildStatus,
    /// What was asked for.
    #[schema(max_length = 100_000)]
    prompt: String,
    /// The project whose repository receives the result.
    #[schema(value_type = texts::Project)]
    project: String,
    /// Where its code starts from, if not from nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<Repository>,
    /// The hint given for planning.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    framework: Option<String>,
    /// The model of every task that names no other.
    #[schema(value_type = texts::ModelName)]
    model: String,
    /// Its bounds.
    limits: LimitsView,
    /// What goes first while executors are short: 10 before 0, 0 before -10.
    #[schema(minimum = -10, maximum = 10)]
    priority: i64,
    /// The pool of executors that does it.
    #[schema(value_type = texts::Pool)]
    pool: String,
    /// The client's labels.
    #[schema(schema_with = super::labels)]
    labels: BTreeMap<String, String>,
    /// The webhook endpoint that was ordered with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<BuildWebhookView>,
    /// How many events it has had; the same as the entity tag.
    version: u64,
    /// Its tasks, counted.
    tasks: TaskCounts,
    /// What it cost so far.
    usage: UsageView,
    /// Why it failed; while tasks are still finishing, why it is going to.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
    /// What came out, once it is completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultView>,
    /// When it was accepted.
    submitted_at: DateTime<Utc>,
    /// When the first piece of work was taken up.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// Milliseconds from its acceptance to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    duration_ms: Option<i64>,
}

/// The webhook endpoint of one build.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildWebhookView {
    /// Its id.
    #[schema(value_type = texts::EndpointId)]
    endpoint_id: EndpointId,
    /// The secret that was made for it, in the answer to the submission and in no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::WebhookSecret>)]
    secret: Option<String>,
}

/// Where a build's code starts from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Repository {
    /// Its address.
    #[schema(value_type = texts::RepositoryAddress)]
    url: String,
    /// The branch; its default branch if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::Branch>)]
    branch: Option<String>,
}

/// Bounds of a build.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LimitsView {
    /// Seconds that one attempt at a task may take.
    task_timeout_seconds: u32,
    /// Seconds that the build may take from its acceptance.
    build_timeout_seconds: u32,
    /// US dollars that it may cost; looked at whenever an attempt ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.000000001, maximum = 1_000_000)]
    max_cost_usd: Option<f64>,
    /// Most tasks at work at the same time.
    max_parallel: u32,
    /// Most attempts at one task.
    max_attempts: u32,
}

/// How many tasks stand where. The other counts add up to `total`.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskCounts {
    /// All tasks of the plan; 0 before there is one.
    total: u32,
    /// Done.
    completed: u32,
    /// Being carried out.
    in_progress: u32,
    /// Failed or timed out for good.
    failed: u32,
    /// Waiting for other tasks or for an executor.
    pending: u32,
    /// Left out because the build failed before.
    skipped: u32,
    /// Stopped with the build.
    cancelled: u32,
}

/// Why something failed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureView {
    /// The class.
    class: FailureClass,
    /// What happened and, where known, what to do.
    #[schema(max_length = 2_001)]
    message: String,
    /// The task that failed, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::TaskId>)]
    task_id: Option<TaskId>,
}

/// What came out of a build.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResultView {
    /// The commit it started from.
    #[schema(value_type = texts::CommitId)]
    base: String,
    /// The commit it ended in.
    #[schema(value_type = texts::CommitId)]
    commit: String,
    /// The branch of the project's repository that contains it.
    #[schema(value_type = texts::Branch)]
    branch: String,
    /// How many files differ between the two.
    files_changed: u32,
}

impl BuildView {
    /// A build as it was loaded; `None` before its first event.
    pub(crate) fn of(id: BuildId, loaded: &Loaded) -> Option<Self> {
        let build = &loaded.build;
        let spec: &Arc<BuildSpec> = build.spec.as_ref()?;
        let submitted_at = build.submitted_at?;
        let task_id = build.failed_task.map(|number| id.task(number));
        Some(Self {
            id,
            status: build.status.into(),
            prompt: spec.prompt.clone(),
            project: spec.project.to_string(),
            repository: spec.repository.as_ref().map(Repository::from),
            framework: spec.framework.clone(),
            model: spec.model.clone(),
            limits: LimitsView::from(&spec.limits),
            priority: spec.priority.into(),
            pool: spec.pool.to_string(),
            labels: spec.labels.clone(),
            webhook: spec.webhook.map(|endpoint_id| BuildWebhookView { endpoint_id, secret: None }),
            version: loaded.version.0,
            tasks: TaskCounts::of(&build.tasks),
            usage: UsageView::from(&build.usage),
            failure: build.failure.as_ref().map(|failure| FailureView::of(failure, task_id)),
            result: build.result.as_ref().map(ResultView::from),
            submitted_at,
            started_at: build.started_at,
            ended_at: build.ended_at,
            duration_ms: build.ended_at.map(|end| (end - submitted_at).num_milliseconds()),
        })
    }
}

impl BuildView {
    /// With the secret of its webhook endpoint: once.
    pub(crate) fn with_secret(mut self, secret: String) -> Self {
        if let Some(webhook) = &mut self.webhook {
            webhook.secret = Some(secret);
        }
        self
    }
}

impl TaskCounts {
    fn of(tasks: &[TaskState]) -> Self {
        let mut counts = Self { total: u32::try_from(tasks.len()).unwrap_or(u32::MAX), ..Self::default() };
        for task in tasks {
            *match task.status {
                TaskStatus::Pending | TaskStatus::Scheduled => &mut counts.pending,
                TaskStatus::InProgress => &mut counts.in_progress,
                TaskStatus::Completed => &mut counts.completed,
                TaskStatus::Failed | TaskStatus::Timeout => &mut counts.failed,
                TaskStatus::Skipped => &mut counts.skipped,
                TaskStatus::Cancelled => &mut counts.cancelled,
            } += 1;
        }
        counts
    }
}

impl FailureView {
    /// A failure, and the task that brought it about.
    pub(crate) fn of(failure: &Failure, task_id: Option<TaskId>) -> Self {
        Self { class: failure.class.into(), message: failure.message.clone(), task_id }
    }
}

impl From<&domain::build::Repository> for Repository {
    fn from(repository: &domain::build::Repository) -> Self {
        Self { url: repository.url.to_string(), branch: repository.branch.as_ref().map(ToString::to_string) }
    }
}

impl From<&Limits> for LimitsView {
    fn from(limits: &Limits) -> Self {
        Self {
            task_timeout_seconds: limits.task_timeout_seconds,
            build_timeout_seconds: limits.build_timeout_seconds,
            max_cost_usd: limits.max_cost_nano_usd.map(usd),
            max_parallel: limits.max_parallel,
            max_attempts: limits.max_attempts,
        }
    }
}

impl From<&MergeResult> for ResultView {
    fn from(result: &MergeResult) -> Self {
        Self {
            base: result.base.to_string(),
            commit: result.commit.to_string(),
            branch: result.branch.clone(),
            files_changed: result.files_changed,
        }
    }
}
