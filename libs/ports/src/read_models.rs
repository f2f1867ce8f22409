//! Read models: what lists are answered from. They are folded from events and can be made again at any time.

use crate::{Position, StoreError};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{BuildId, build::BuildStatus};
use names::{ProjectName, TenantName};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// How many tasks a build has and how many are done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// All tasks of the plan; 0 before there is one.
    pub total: u32,
    /// Completed ones.
    pub completed: u32,
}

/// One line of a list of builds.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildSummary {
    /// Which build.
    pub id: BuildId,
    /// Whose build it is.
    pub tenant: TenantName,
    /// Who submitted it, as its first event says.
    pub submitted_by: Option<Arc<str>>,
    /// Where it stands.
    pub status: BuildStatus,
    /// The beginning of its prompt, at most 200 characters.
    pub title: String,
    /// Its project.
    pub project: ProjectName,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its tasks.
    pub tasks: TaskCounts,
    /// What it cost so far, in billionths of a US dollar.
    pub cost_nano_usd: u64,
    /// When it was accepted.
    pub submitted_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which builds to list.
#[derive(Debug, Clone)]
pub struct BuildFilter {
    /// Only this tenant's.
    pub tenant: TenantName,
    /// Only these states; all if empty.
    pub status: Vec<BuildStatus>,
    /// Only this project.
    pub project: Option<ProjectName>,
    /// Only with all these labels.
    pub labels: BTreeMap<String, String>,
    /// Only builds submitted before this one: where the page before ended.
    pub before: Option<BuildId>,
    /// Most builds.
    pub limit: usize,
}

impl BuildFilter {
    /// All builds of a tenant, at most so many.
    #[must_use]
    pub fn of(tenant: TenantName, limit: usize) -> Self {
        Self { tenant, status: Vec::new(), project: None, labels: BTreeMap::new(), before: None, limit }
    }
}

/// A page of a list, newest build first.
#[derive(Debug, Clone, Default)]
pub struct BuildPage {
    /// The builds.
    pub builds: Vec<BuildSummary>,
    /// Whether older ones follow.
    pub more: bool,
}

/// The read models and how far they have come.
#[async_trait]
pub trait ReadModels: Send + Sync {
    /// The position up to which events have been folded in, kept up to date.
    fn projected(&self) -> watch::Receiver<Position>;

    /// The stored rows of some builds, for folding further events into them.
    ///
    /// # Errors
    /// The store's failure.
    async fn summaries(&self, ids: &[BuildId]) -> Result<Vec<BuildSummary>, StoreError>;

    /// Stores rows and the position they stand for, all or none.
    ///
    /// # Errors
    /// The store's failure; nothing is stored then.
    async fn project(&self, rows: Vec<BuildSummary>, upto: Position) -> Result<(), StoreError>;

    /// A page of builds.
    ///
    /// # Errors
    /// The store's failure.
    async fn builds(&self, filter: &BuildFilter) -> Result<BuildPage, StoreError>;

    /// How many builds that somebody submitted have not ended. Counting stops at `most`.
    ///
    /// # Errors
    /// The store's failure.
    async fn count_open(&self, submitted_by: &str, most: usize) -> Result<usize, StoreError>;

    /// Builds of all tenants that have not ended, oldest first, after the given one, at most `limit`.
    ///
    /// # Errors
    /// The store's failure.
    async fn open_builds(&self, after: Option<BuildId>, limit: usize) -> Result<Vec<BuildId>, StoreError>;

    /// Forgets every row and starts again from position 0.
    ///
    /// # Errors
    /// The store's failure.
    async fn reset(&self) -> Result<(), StoreError>;
}
