use super::{BuildStatus, texts, usage::usd};
use chrono::{DateTime, Utc};
use domain::BuildId;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A page of builds, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildList {
    /// The builds.
    #[schema(max_items = 200)]
    pub(crate) builds: Vec<BuildSummary>,
    /// The `cursor` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub(crate) next_cursor: Option<String>,
}

/// A build in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildSummary {
    /// Its id.
    #[schema(value_type = texts::BuildId)]
    id: BuildId,
    /// Where it stands.
    status: BuildStatus,
    /// The beginning of its prompt.
    #[schema(max_length = 200)]
    title: String,
    /// The project whose repository receives the result.
    #[schema(value_type = texts::Project)]
    project: String,
    /// The client's labels.
    #[schema(schema_with = super::labels)]
    labels: BTreeMap<String, String>,
    /// Its tasks, counted.
    tasks: TaskProgress,
    /// What it cost so far, in US dollars.
    #[schema(minimum = 0)]
    cost_usd: f64,
    /// When it was accepted.
    submitted_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
}

/// How far a build has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskProgress {
    /// All tasks of the plan; 0 before there is one.
    total: u32,
    /// Done.
    completed: u32,
}

impl From<ports::BuildSummary> for BuildSummary {
    fn from(row: ports::BuildSummary) -> Self {
        Self {
            id: row.id,
            status: row.status.into(),
            title: row.title,
            project: row.project.into(),
            labels: row.labels,
            tasks: TaskProgress { total: row.tasks.total, completed: row.tasks.completed },
            cost_usd: usd(row.cost_nano_usd),
            submitted_at: row.submitted_at,
            ended_at: row.ended_at,
        }
    }
}
