//! What the API answers, as far as the command line shows it. What it does not know it leaves out.

use chrono::{DateTime, Utc};
use domain::build::BuildEvent;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt};

/// Where a build stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BuildStatus {
    Queued,
    Planning,
    Executing,
    Completed,
    Failed,
    Cancelled,
    #[default]
    #[serde(other)]
    Unknown,
}

impl BuildStatus {
    /// Whether nothing more happens to it.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for BuildStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        })
    }
}

/// A build.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Build {
    pub(crate) id: String,
    pub(crate) status: BuildStatus,
    pub(crate) prompt: String,
    pub(crate) project: String,
    pub(crate) model: String,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) tasks: Counts,
    #[serde(default)]
    pub(crate) usage: Usage,
    pub(crate) failure: Option<Failure>,
    pub(crate) result: Option<Merged>,
    pub(crate) submitted_at: DateTime<Utc>,
    pub(crate) duration_ms: Option<i64>,
}

/// How many tasks stand where.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Counts {
    pub(crate) total: u32,
    pub(crate) completed: u32,
    pub(crate) failed: u32,
}

/// Tokens and money.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Usage {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cache_read_tokens: u64,
    pub(crate) cache_creation_tokens: u64,
    pub(crate) cost_usd: f64,
}

/// Why something failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) task_id: Option<String>,
}

/// What came out of a build.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Merged {
    pub(crate) commit: String,
    pub(crate) branch: String,
    pub(crate) files_changed: u32,
}

/// A page of builds.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildList {
    pub(crate) builds: Vec<BuildSummary>,
    pub(crate) next_cursor: Option<String>,
}

/// A build in a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildSummary {
    pub(crate) id: String,
    pub(crate) status: BuildStatus,
    pub(crate) title: String,
    pub(crate) project: String,
    #[serde(default)]
    pub(crate) tasks: Counts,
    #[serde(default)]
    pub(crate) cost_usd: f64,
    pub(crate) submitted_at: DateTime<Utc>,
}

/// The tasks of a build.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TaskList {
    pub(crate) tasks: Vec<Task>,
}

/// A task.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) key: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: String,
    pub(crate) attempt: u32,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(crate) usage: Usage,
    pub(crate) failure: Option<Failure>,
    pub(crate) files_changed: Option<u32>,
}

/// The files of a completed build.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FileList {
    pub(crate) files: Vec<FileEntry>,
}

/// A file.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FileEntry {
    pub(crate) path: String,
    pub(crate) size: u64,
}

/// An event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) sequence: u64,
    pub(crate) version: u64,
    #[serde(default = "first_version")]
    schema_version: u16,
    pub(crate) timestamp: DateTime<Utc>,
    data: Box<RawValue>,
}

fn first_version() -> u16 {
    1
}

impl Event {
    /// What happened; `None` if it is of a kind that a newer server knows.
    pub(crate) fn happening(&self) -> Option<BuildEvent> {
        BuildEvent::decode(&self.kind, self.schema_version, self.data.get()).ok()
    }
}

/// A page of output.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OutputList {
    pub(crate) lines: Vec<OutputLine>,
    pub(crate) next: u64,
}

/// A line of output.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OutputLine {
    pub(crate) attempt: u32,
    pub(crate) stream: OutputStream,
    pub(crate) text: String,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutputStream {
    Claude,
    Stdout,
    Stderr,
    System,
    #[serde(other)]
    Other,
}
