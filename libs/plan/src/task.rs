//! A task as planned: what it is asked to do and what it owes.

use names::{ExecutorLabel, RelativePath};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A task's place in its plan, from 0. The order of the plan is the order of scheduling among ready tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskNumber(pub u32);

impl TaskNumber {
    /// The number as an index into per-task arrays.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TaskNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name a plan gives a task, unique within it: 1 to 64 of `a-z A-Z 0-9 . _ -`, starting with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskKey(String);

/// Why a text is no task key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a task id is 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit")]
pub struct TaskKeyError;

impl TaskKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TaskKey {
    type Error = TaskKeyError;

    fn try_from(text: String) -> Result<Self, TaskKeyError> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if first && rest && text.len() <= 64 { Ok(Self(text)) } else { Err(TaskKeyError) }
    }
}

impl From<TaskKey> for String {
    fn from(key: TaskKey) -> Self {
        key.0
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of work a task is. The type decides its prompt template, its tools and the evidence it owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    /// Write new files: every target exists afterwards and is new or changed.
    CreateFile,
    /// Change existing files: every target exists afterwards and is changed.
    ModifyFile,
    /// Write a component of several files: every target exists afterwards and is new or changed.
    CreateComponent,
    /// Write configuration: every target exists afterwards and is new or changed.
    SetupConfig,
    /// Install dependencies with a package manager: something in the tree changed, or its check passed.
    InstallDeps,
    /// Free-form work: something in the tree changed, or its check passed.
    Agent,
    /// Run a command, without a model: it exits 0.
    Command,
}

impl TaskType {
    /// Every type, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::CreateFile,
        Self::ModifyFile,
        Self::CreateComponent,
        Self::SetupConfig,
        Self::InstallDeps,
        Self::Agent,
        Self::Command,
    ];

    /// The name used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateFile => "create_file",
            Self::ModifyFile => "modify_file",
            Self::CreateComponent => "create_component",
            Self::SetupConfig => "setup_config",
            Self::InstallDeps => "install_deps",
            Self::Agent => "agent",
            Self::Command => "command",
        }
    }

    /// The type of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether such a task must name the files it will touch.
    #[must_use]
    pub fn needs_targets(self) -> bool {
        matches!(self, Self::CreateFile | Self::ModifyFile | Self::CreateComponent | Self::SetupConfig)
    }

    /// Whether a model does the work. A `command` needs none.
    #[must_use]
    pub fn uses_model(self) -> bool {
        self != Self::Command
    }
}

impl fmt::Display for TaskType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One task of a valid plan. As JSON it travels to executors; plans themselves are stored as drafts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedTask {
    /// Its name in the plan.
    pub key: TaskKey,
    /// What kind of work it is.
    pub task_type: TaskType,
    /// One line for people; the key if the plan gave none.
    pub title: String,
    /// What is asked. Empty only for a `command`.
    pub prompt: String,
    /// The files it must create or change, relative to the root of the workspace.
    pub targets: Vec<RelativePath>,
    /// The shell command of a `command` task.
    pub command: Option<String>,
    /// A shell command that must exit 0 after the work, for the task to count as completed.
    pub check: Option<String>,
    /// Wall-clock limit in seconds, if it differs from the build's default.
    pub timeout_seconds: Option<u32>,
    /// The model, if it differs from the build's.
    pub model: Option<String>,
    /// What its executor must have. In order, none twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<ExecutorLabel>,
}
