//! The bus between driver and executors: a rebuildable index of what may be taken up, never the truth.

use crate::ArtifactKey;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    BuildId,
    build::{Attempt, BuildSpec, Outcome, Work},
};
use names::Commit;
use plan::{PlannedTask, TaskNumber};
use std::{fmt, sync::Arc};
use tokio_util::sync::CancellationToken;

/// The name of an executor process, different at every start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExecutorName(pub Arc<str>);

impl fmt::Display for ExecutorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something to do, with all that an executor needs to do it.
#[derive(Debug, Clone)]
pub struct WorkOrder {
    /// For which build.
    pub build: BuildId,
    /// Which work.
    pub work: Work,
    /// Which try.
    pub attempt: Attempt,
    /// What the build ordered.
    pub spec: Arc<BuildSpec>,
    /// When the build was submitted: the date of the commits that Buildwright itself makes for it, so that
    /// making them again gives the same commits.
    pub submitted_at: DateTime<Utc>,
    /// The particulars.
    pub kind: WorkKind,
}

/// The particulars of an order.
#[derive(Debug, Clone)]
pub enum WorkKind {
    /// Make a plan.
    Plan {
        /// What was wrong with the plan before, on a second try.
        previous_failure: Option<String>,
    },
    /// Carry out a task.
    Task {
        /// Its place in the plan.
        number: TaskNumber,
        /// What it is.
        task: Box<PlannedTask>,
        /// Results of the tasks it waited for, in their order.
        inputs: Vec<TaskInput>,
        /// Why the attempt before failed, on a second try.
        previous_failure: Option<String>,
    },
    /// Merge and publish.
    Merge {
        /// Results of the tasks that nothing waits for, in their order.
        inputs: Vec<TaskInput>,
    },
}

/// A result that other work starts from.
#[derive(Debug, Clone)]
pub struct TaskInput {
    /// Whose result.
    pub number: TaskNumber,
    /// Its title, for commit messages and prompts.
    pub title: String,
    /// The commit it ended in.
    pub commit: Commit,
    /// The artifact that holds the commit.
    pub bundle: Option<ArtifactKey>,
}

/// A report of an executor.
#[derive(Debug, Clone)]
pub enum OutcomeReport {
    /// It took an attempt up.
    Started {
        /// For which build.
        build: BuildId,
        /// Which work.
        work: Work,
        /// Which try.
        attempt: Attempt,
        /// Who.
        executor: ExecutorName,
    },
    /// An attempt ended.
    Finished {
        /// For which build.
        build: BuildId,
        /// Which work.
        work: Work,
        /// Which try.
        attempt: Attempt,
        /// Who.
        executor: ExecutorName,
        /// How.
        outcome: Outcome,
    },
}

/// Why the bus could not take or give something.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// It cannot be reached.
    #[error("the bus is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is shutting down.
    #[error("the bus is closed")]
    Closed,
}

/// An order that was taken and not yet settled. Dropping it unsettled gives it back.
pub trait Lease: Send + Sync {
    /// The order.
    fn order(&self) -> &WorkOrder;
    /// Cancelled when the attempt is no longer wanted: its build has ended or another attempt took its place.
    fn revoked(&self) -> CancellationToken;
    /// The attempt is over and reported: forget the order.
    fn settle(self: Box<Self>);
}

/// Where the driver puts work and executors take it.
#[async_trait]
pub trait TaskQueue: Send + Sync {
    /// Offers work. The same attempt offered again while it waits or is held is dropped.
    ///
    /// # Errors
    /// If the bus cannot take it; the driver offers it again later.
    async fn offer(&self, order: WorkOrder) -> Result<(), BusError>;

    /// Takes the next work, waiting for it.
    ///
    /// # Errors
    /// If the bus is closed.
    async fn take(&self) -> Result<Box<dyn Lease>, BusError>;

    /// A build has ended: drops what waits for it and revokes what is held.
    fn forget(&self, build: BuildId);

    /// One attempt is not the current one: drops it or revokes it.
    fn revoke(&self, build: BuildId, work: Work, attempt: Attempt);
}

/// How executors report.
#[async_trait]
pub trait OutcomeBus: Send + Sync {
    /// Reports to the driver. Reports of one attempt arrive in the order they were made.
    ///
    /// # Errors
    /// If the bus cannot take it.
    async fn report(&self, report: OutcomeReport) -> Result<(), BusError>;

    /// All reports that wait, at least one, at most `limit`, waiting for the first.
    ///
    /// # Errors
    /// If the bus is closed.
    async fn reports(&self, limit: usize) -> Result<Vec<OutcomeReport>, BusError>;
}
