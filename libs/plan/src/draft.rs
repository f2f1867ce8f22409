//! A plan as written by a client or a model: any text, not yet believed.

use crate::{Plan, PlannedTask};
use serde::{Deserialize, Serialize};

/// A plan as it stands in JSON. Unknown fields are refused, so that a misspelt `dependsOn` is not lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanDraft {
    /// What the plan will make, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The tasks, in order of preference.
    pub tasks: Vec<TaskDraft>,
    /// Which task waits for which. A task that is not named here waits for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyDraft>,
}

/// A task as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskDraft {
    /// Its name, unique in the plan.
    pub id: String,
    /// One of the task types.
    #[serde(rename = "type")]
    pub task_type: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prompt: String,
    /// Files it must create or change, relative to the workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// The shell command of a `command` task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// A shell command that must exit 0 after the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Wall-clock limit in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Model for this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Labels that the executor must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

/// One task's predecessors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DependencyDraft {
    /// The task that waits.
    pub task: String,
    /// The tasks it waits for.
    pub depends_on: Vec<String>,
}

impl From<Plan> for PlanDraft {
    fn from(plan: Plan) -> Self {
        Self::from(&plan)
    }
}

impl From<&Plan> for PlanDraft {
    fn from(plan: &Plan) -> Self {
        let dependencies = plan
            .numbers()
            .filter_map(|number| {
                let depends_on: Vec<String> =
                    plan.predecessors(number).map(|before| plan.task(before).key.to_string()).collect();
                let task = plan.task(number).key.to_string();
                (!depends_on.is_empty()).then_some(DependencyDraft { task, depends_on })
            })
            .collect();
        Self {
            summary: plan.summary().map(str::to_owned),
            tasks: plan.tasks().iter().map(TaskDraft::from).collect(),
            dependencies,
        }
    }
}

impl From<&PlannedTask> for TaskDraft {
    fn from(task: &PlannedTask) -> Self {
        Self {
            id: task.key.to_string(),
            task_type: task.task_type.as_str().to_owned(),
            title: (task.title != task.key.as_str()).then(|| task.title.clone()),
            prompt: task.prompt.clone(),
            targets: task.targets.iter().map(ToString::to_string).collect(),
            command: task.command.clone(),
            check: task.check.clone(),
            timeout_seconds: task.timeout_seconds,
            model: task.model.clone(),
            requires: task.requires.iter().map(ToString::to_string).collect(),
        }
    }
}
