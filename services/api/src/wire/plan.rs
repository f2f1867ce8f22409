use super::{PlanSource, texts};
use crate::read::{Fields, Problems};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A plan as a client writes it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlanDraft {
    /// What the plan will make.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    summary: Option<String>,
    /// The tasks, in order of preference.
    #[schema(min_items = 1, max_items = 10_000)]
    tasks: Vec<TaskDraft>,
    /// Which task waits for which. A task that is not named here waits for nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100_000, required = false)]
    dependencies: Vec<Dependency>,
}

/// A task as a client writes it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TaskDraft {
    /// Its name, unique in the plan.
    #[schema(value_type = texts::TaskKey)]
    id: String,
    /// One of the task types.
    #[serde(rename = "type")]
    #[schema(value_type = super::TaskType)]
    kind: String,
    /// One line about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    title: Option<String>,
    /// What is asked. Every type but `command` needs it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 100_000, required = false)]
    prompt: String,
    /// Files it must create or change, relative to the root of the workspace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<texts::FilePath>, max_items = 100, required = false)]
    targets: Vec<String>,
    /// The shell command of a `command` task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    command: Option<String>,
    /// A shell command that must exit 0 after the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    check: Option<String>,
    /// Seconds that one attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400)]
    timeout_seconds: Option<u32>,
    /// The model, if it differs from the build's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::ModelName>)]
    model: Option<String>,
    /// Labels that its executor must have, such as `gpu`. `GET /v1/executors` shows who has which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<texts::ExecutorLabel>, max_items = 4, required = false)]
    requires: Vec<String>,
}

/// What a task waits for.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Dependency {
    /// The task that waits.
    #[schema(value_type = texts::TaskKey)]
    task: String,
    /// The tasks it waits for.
    #[schema(value_type = Vec<texts::TaskKey>, max_items = 100_000)]
    depends_on: Vec<String>,
}

/// A plan as it was adopted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanView {
    /// Who made it.
    source: PlanSource,
    /// What it makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    summary: Option<String>,
    /// The tasks, in order of preference.
    #[schema(max_items = 10_000)]
    tasks: Vec<TaskDraft>,
    /// Which task waits for which.
    #[schema(max_items = 100_000)]
    dependencies: Vec<Dependency>,
}

impl PlanView {
    /// A plan and who made it.
    pub(crate) fn of(plan: &plan::Plan, source: domain::build::PlanSource) -> Self {
        let PlanDraft { summary, tasks, dependencies } = plan::PlanDraft::from(plan).into();
        Self { source: source.into(), summary, tasks, dependencies }
    }
}

impl PlanDraft {
    /// Reads one from a request.
    pub(crate) fn read(mut fields: Fields<'_>, bounds: &plan::Bounds) -> Self {
        let task = |value, at, problems: &mut Problems| TaskDraft::read(value, at, bounds, problems);
        let dependency = |value, at, problems: &mut Problems| Dependency::read(value, at, bounds, problems);
        let draft = Self {
            summary: fields.text("summary"),
            tasks: fields.list("tasks", bounds.tasks, task).unwrap_or_default(),
            dependencies: fields.list("dependencies", bounds.dependencies, dependency).unwrap_or_default(),
        };
        fields.finish();
        draft
    }
}

impl TaskDraft {
    fn read(value: Value, at: String, bounds: &plan::Bounds, problems: &mut Problems) -> Self {
        let mut fields = Fields::of(value, at, problems);
        let draft = Self {
            id: fields.required_text("id"),
            kind: fields.required_text("type"),
            title: fields.text("title"),
            prompt: fields.text("prompt").unwrap_or_default(),
            targets: fields.texts("targets", bounds.targets).unwrap_or_default(),
            command: fields.text("command"),
            check: fields.text("check"),
            timeout_seconds: fields.whole("timeoutSeconds"),
            model: fields.text("model"),
            requires: fields.texts("requires", plan::MOST_LABELS).unwrap_or_default(),
        };
        fields.finish();
        draft
    }
}

impl Dependency {
    fn read(value: Value, at: String, bounds: &plan::Bounds, problems: &mut Problems) -> Self {
        let mut fields = Fields::of(value, at, problems);
        let task = fields.required_text("task");
        let depends_on = fields.texts("dependsOn", bounds.dependencies).unwrap_or_default();
        fields.finish();
        Self { task, depends_on }
    }
}

impl From<PlanDraft> for plan::PlanDraft {
    fn from(draft: PlanDraft) -> Self {
        let task = |task: TaskDraft| plan::TaskDraft {
            id: task.id,
            task_type: task.kind,
            title: task.title,
            prompt: task.prompt,
            targets: task.targets,
            command: task.command,
            check: task.check,
            timeout_seconds: task.timeout_seconds,
            model: task.model,
            requires: task.requires,
        };
        let dependency = |d: Dependency| plan::DependencyDraft { task: d.task, depends_on: d.depends_on };
        Self {
            summary: draft.summary,
            tasks: draft.tasks.into_iter().map(task).collect(),
            dependencies: draft.dependencies.into_iter().map(dependency).collect(),
        }
    }
}

impl From<plan::PlanDraft> for PlanDraft {
    fn from(draft: plan::PlanDraft) -> Self {
        let task = |task: plan::TaskDraft| TaskDraft {
            id: task.id,
            kind: task.task_type,
            title: task.title,
            prompt: task.prompt,
            targets: task.targets,
            command: task.command,
            check: task.check,
            timeout_seconds: task.timeout_seconds,
            model: task.model,
            requires: task.requires,
        };
        let dependency = |d: plan::DependencyDraft| Dependency { task: d.task, depends_on: d.depends_on };
        Self {
            summary: draft.summary,
            tasks: draft.tasks.into_iter().map(task).collect(),
            dependencies: draft.dependencies.into_iter().map(dependency).collect(),
        }
    }
}
