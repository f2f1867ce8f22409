//! The bus between driver and executors: a rebuildable index of what may be taken up, never the truth.

use crate::ArtifactKey;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    BuildId,
    build::{Attempt, BuildSpec, Outcome, Work},
};
use names::{Commit, ExecutorLabel};
use plan::{PlannedTask, TaskNumber};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// The name of an executor process, different at every start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutorName(pub Arc<str>);

impl fmt::Display for ExecutorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something to do, with all that an executor needs to do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

impl WorkOrder {
    /// What its executor must have, in order.
    #[must_use]
    pub fn requires(&self) -> &[ExecutorLabel] {
        match &self.kind {
            WorkKind::Task { task, .. } => &task.requires,
            WorkKind::Plan { .. } | WorkKind::Merge { .. } => &[],
        }
    }
}

/// The particulars of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum WorkKind {
    /// Make a plan.
    Plan {
        /// What was wrong with the plan before, on a second try.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_failure: Option<String>,
    },
    /// Merge and publish.
    Merge {
        /// Results of the tasks that nothing waits for, in their order.
        inputs: Vec<TaskInput>,
    },
}

/// A result that other work starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskInput {
    /// Whose result.
    pub number: TaskNumber,
    /// Its title, for commit messages and prompts.
    pub title: String,
    /// The commit it ended in.
    pub commit: Commit,
    /// The artifact that holds the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<ArtifactKey>,
}

/// A report of an executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
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
    /// An attempt will have no outcome: whoever held it is gone, or hands it back. The next attempt may begin.
    Lost {
        /// For which build.
        build: BuildId,
        /// Which work.
        work: Work,
        /// Which try.
        attempt: Attempt,
        /// Who says so.
        executor: ExecutorName,
    },
}

impl OutcomeReport {
    /// Which attempt it is about.
    #[must_use]
    pub fn about(&self) -> (BuildId, Work, Attempt) {
        let (Self::Started { build, work, attempt, .. }
        | Self::Finished { build, work, attempt, .. }
        | Self::Lost { build, work, attempt, .. }) = self;
        (*build, *work, *attempt)
    }
}

/// Why the bus could not take or give something.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// It cannot be reached.
    #[error("the bus is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It never takes something of that size.
    #[error("{bytes} bytes are more than the bus takes ({most})")]
    TooLarge {
        /// The size.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// It is shutting down.
    #[error("the bus is closed")]
    Closed,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// The queue has it.
    New,
    /// The queue had it already, or had it a short while ago.
    Duplicate,
}

/// How an order came to whoever took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handout {
    /// Nobody had it before.
    First,
    /// It was given out before. Whoever had it may have begun: the attempt must not begin again, it is
    /// [`OutcomeReport::Lost`].
    Again,
    /// The bus was interrupted and may have forgotten that it was given out. The attempt may begin if the driver
    /// says so: see [`Answer`].
    Unknown,
}

/// An order that was taken and not yet settled. Dropping it unsettled gives it back, so that it is soon taken
/// again. While it is held, the bus gives the order to nobody else; an executor that dies or is cut off loses
/// it after a bounded time.
#[async_trait]
pub trait Lease: Send + Sync {
    /// The order.
    fn order(&self) -> &WorkOrder;

    /// Cancelled when the work must stop: its build has ended, another attempt took its place, or the lease is
    /// lost.
    fn revoked(&self) -> CancellationToken;

    /// Whether the lease ran out while it was held, so that somebody else may hold the order now. What comes of
    /// the work must not be reported then: as far as the bus knows this executor is dead. A pause of the whole
    /// process is noticed by this call itself, not only by a task that runs later.
    fn is_lost(&self) -> bool;

    /// How the order came.
    fn handout(&self) -> Handout;

    /// Whether somebody had it before.
    fn was_taken_before(&self) -> bool {
        self.handout() == Handout::Again
    }

    /// Somebody else is at it: neither settles it nor gives it back. If nobody keeps it alive it comes again,
    /// after the bounded time.
    async fn leave(self: Box<Self>);

    /// The attempt is over and reported: forget the order. Should the bus not learn of it, the order comes
    /// again to somebody, and the driver refuses it.
    async fn settle(self: Box<Self>);
}

/// Where the driver puts work and executors take it.
#[async_trait]
pub trait TaskQueue: Send + Sync {
    /// Offers work. The same attempt offered again while it waits or is held is dropped.
    ///
    /// # Errors
    /// If the bus cannot take it; the driver offers it again later. It may have arrived all the same.
    async fn offer(&self, order: WorkOrder) -> Result<Offered, BusError>;

    /// Takes the next work, waiting for it, through interruptions of the bus too. Whoever calls has a slot
    /// free for it; a call that is dropped takes nothing.
    ///
    /// # Errors
    /// If the bus is closed.
    async fn take(&self) -> Result<Box<dyn Lease>, BusError>;

    /// Whether an order waits or is held.
    ///
    /// # Errors
    /// If the bus cannot say.
    async fn has(&self, order: &WorkOrder) -> Result<bool, BusError>;

    /// A build has ended: drops what waits for it and revokes what is held.
    fn forget(&self, build: BuildId);

    /// One attempt is not the current one: drops it or revokes it.
    fn revoke(&self, build: BuildId, work: Work, attempt: Attempt);
}

/// Tells the driver's side of the bus that a report needn't come again.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// What the report led to is in the event store, or it led to nothing. Should the bus not learn of it, the
    /// report comes again.
    async fn confirm(self: Box<Self>, answer: Answer);
}

/// What the driver says of a report that it will not need again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is in the event store, or the build knew it already.
    Accepted,
    /// The build refused it: it was about an attempt that is over, or with another executor.
    Refused,
}

/// A report as the driver gets it. Dropped unconfirmed, it comes again: to this driver or another.
pub struct Received {
    /// What was reported.
    pub report: OutcomeReport,
    /// To be confirmed when what it leads to is committed.
    pub receipt: Box<dyn Receipt>,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("report", &self.report).finish_non_exhaustive()
    }
}

/// Lets whoever reported learn that the driver confirmed it: the end-to-end answer, for an executor that keeps
/// its outcomes until then. May be ignored.
#[derive(Debug)]
pub struct Confirmation(oneshot::Receiver<Answer>);

impl Confirmation {
    /// A confirmation and what grants it.
    #[must_use]
    pub fn pair() -> (oneshot::Sender<Answer>, Self) {
        let (grant, granted) = oneshot::channel();
        (grant, Self(granted))
    }

    /// Waits until the driver confirms; false if that cannot be learnt any more. Confirmations get lost when
    /// the bus is interrupted: wait with a bound, then report again.
    pub async fn granted(self) -> bool {
        self.answer().await.is_some()
    }

    /// The same, with what the driver says.
    pub async fn answer(self) -> Option<Answer> {
        self.0.await.ok()
    }
}

/// How executors report.
#[async_trait]
pub trait OutcomeBus: Send + Sync {
    /// Reports to the driver, waiting while the bus is full or away; returns when the bus has it. Reports of one
    /// attempt arrive in the order they were made, unless one has to come again. A report may arrive twice.
    ///
    /// # Errors
    /// If the bus is closed, or never takes a report of that size.
    async fn report(&self, report: OutcomeReport) -> Result<Confirmation, BusError>;

    /// All reports that wait, at least one, at most `limit`, waiting for the first, through interruptions of
    /// the bus too.
    ///
    /// # Errors
    /// If the bus is closed.
    async fn reports(&self, limit: usize) -> Result<Vec<Received>, BusError>;
}
