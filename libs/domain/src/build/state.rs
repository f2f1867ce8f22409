//! What a build is, as far as deciding and answering need it.

use super::{Attempt, BuildSpec, MergeResult, PlanSource, TaskResult, Work};
use crate::{Failure, Usage};
use chrono::{DateTime, Utc};
use plan::{Frontier, Plan, TaskNumber};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a build stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    /// Accepted; nothing has been taken up.
    #[default]
    Queued,
    /// A plan is being made.
    Planning,
    /// Tasks are being carried out or merged.
    Executing,
    /// Done.
    Completed,
    /// Over without a result.
    Failed,
    /// Stopped by somebody.
    Cancelled,
}

impl BuildStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Planning, Self::Executing, Self::Completed, Self::Failed, Self::Cancelled];

    /// The name used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Planning => "planning",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the build has ended.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Waits for other tasks.
    #[default]
    Pending,
    /// May be taken up.
    Scheduled,
    /// An executor is at it.
    InProgress,
    /// Done, with evidence.
    Completed,
    /// All its attempts failed.
    Failed,
    /// Its last attempt took too long.
    Timeout,
    /// Never begun, because the build failed before.
    Skipped,
    /// Stopped with the build.
    Cancelled,
}

impl TaskStatus {
    /// The name used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where one piece of work stands among its attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// The newest attempt; 0 before the first.
    pub attempt: u32,
    /// How many attempts failed.
    pub failures: u32,
    /// How many attempts were lost with their executor.
    pub losses: u32,
    /// What the newest attempt is doing.
    pub phase: Phase,
}

/// What the newest attempt at a piece of work is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing, yet or any more.
    #[default]
    Idle,
    /// It may be taken up, not before the time given.
    Scheduled(Option<DateTime<Utc>>),
    /// The named executor is at it.
    Running(String),
    /// The build ended around it; only what it cost is still of interest.
    Abandoned,
}

impl Track {
    /// Whether `attempt` is the newest and not over.
    #[must_use]
    pub fn is_open(&self, attempt: Attempt) -> bool {
        self.attempt == attempt.0 && matches!(self.phase, Phase::Scheduled(_) | Phase::Running(_))
    }
}

/// One task of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// Where it stands.
    pub status: TaskStatus,
    /// Its attempts.
    pub track: Track,
    /// What it brought, once completed.
    pub result: Option<TaskResult>,
    /// Why its last failed attempt failed.
    pub failure: Option<Failure>,
    /// What all its attempts cost.
    pub usage: Usage,
    /// The session of its last ended run.
    pub session_id: Option<String>,
    /// When its newest attempt was taken up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A build: the fold of its events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Where it stands.
    pub status: BuildStatus,
    /// What was ordered; `None` before the first event.
    pub spec: Option<Arc<BuildSpec>>,
    /// The plan, once there is one.
    pub plan: Option<Arc<Plan>>,
    /// Who made it.
    pub plan_source: Option<PlanSource>,
    /// The attempts at planning.
    pub planning: Track,
    /// Why the last failed one failed.
    pub planning_failure: Option<Failure>,
    /// The tasks, by number.
    pub tasks: Vec<TaskState>,
    /// The attempts at merging.
    pub merging: Track,
    /// What came out, once completed.
    pub result: Option<MergeResult>,
    /// Why it failed, once it has; and before that, why it is going to.
    pub failure: Option<Failure>,
    /// The task that failed, if one did.
    pub failed_task: Option<TaskNumber>,
    /// What all attempts cost.
    pub usage: Usage,
    /// When it was accepted.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When the first piece of work was taken up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Tasks scheduled or running.
    pub(super) active: u32,
    /// Tasks completed.
    pub completed: u32,
    /// Derived from plan and tasks, empty once the build has ended; kept so that scheduling costs nothing.
    #[serde(skip)]
    pub(super) frontier: Frontier,
}

impl Build {
    /// The attempts at a piece of work, if the build has it.
    #[must_use]
    pub fn track(&self, work: Work) -> Option<&Track> {
        match work {
            Work::Plan => Some(&self.planning),
            Work::Merge => Some(&self.merging),
            Work::Task(number) => self.tasks.get(number.index()).map(|task| &task.track),
        }
    }

    /// Every piece of work that is scheduled or running, with its newest attempt: what a driver must see to.
    pub fn open_work(&self) -> impl Iterator<Item = (Work, &Track)> {
        let tasks = (0u32..).zip(&self.tasks).map(|(n, task)| (Work::Task(TaskNumber(n)), &task.track));
        [(Work::Plan, &self.planning), (Work::Merge, &self.merging)]
            .into_iter()
            .chain(tasks)
            .filter(|(_, track)| track.is_open(Attempt(track.attempt)))
    }

    /// When the build has to be over; `None` before its first event.
    #[must_use]
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        let limit = chrono::Duration::seconds(self.spec.as_ref()?.limits.build_timeout_seconds.into());
        self.submitted_at?.checked_add_signed(limit)
    }

    /// Makes the derived parts again after a snapshot was read.
    pub(super) fn restore_derived(&mut self) {
        self.frontier = Frontier::default();
        let Some(plan) = self.plan.as_ref().filter(|_| !self.status.is_terminal()) else { return };
        self.frontier = Frontier::of(plan);
        let tasks = || plan.numbers().zip(&self.tasks);
        for (number, _) in tasks().filter(|(_, task)| task.status == TaskStatus::Completed) {
            self.frontier.complete(plan, number);
        }
        // Only now, because a task may stand before those that released it.
        for (number, _) in tasks().filter(|(_, task)| task.status != TaskStatus::Pending) {
            self.frontier.take(number);
        }
    }
}
