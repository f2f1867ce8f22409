//! What may be asked of a build.

use super::{BuildSpec, TaskStatus};
use crate::{Failure, Usage};
use chrono::{DateTime, Utc};
use names::Commit;
use plan::{Plan, TaskNumber};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The number of a try, from 1. An outcome of an older attempt changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The first try.
    pub const FIRST: Self = Self(1);

    /// The try after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an executor can be given to do for a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Turn the prompt into a plan.
    Plan,
    /// Carry out one task.
    Task(TaskNumber),
    /// Merge the results of all tasks and publish them.
    Merge,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan => f.write_str("plan"),
            Self::Task(number) => write!(f, "task-{number}"),
            Self::Merge => f.write_str("merge"),
        }
    }
}

/// A command on a build. Every fact that deciding needs is inside.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a build is submitted once, and commands are not kept")]
pub enum Command {
    /// Begin. With a plan, planning is left out.
    Submit {
        /// What is ordered.
        spec: BuildSpec,
        /// The client's own plan.
        plan: Option<Plan>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// An executor took an attempt up.
    Start {
        /// Which work.
        work: Work,
        /// Which try.
        attempt: Attempt,
        /// Who, for people.
        executor: String,
        /// Now.
        at: DateTime<Utc>,
    },
    /// An attempt ended.
    Finish {
        /// Which work.
        work: Work,
        /// Which try.
        attempt: Attempt,
        /// How it ended.
        outcome: Outcome,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Nobody holds this attempt any more: it will never report.
    Lose {
        /// Which work.
        work: Work,
        /// Which try.
        attempt: Attempt,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Stop it.
    Cancel {
        /// Why, in the caller's words.
        reason: Option<String>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// The time limit of the build is over.
    Expire {
        /// Now.
        at: DateTime<Utc>,
    },
}

/// How an attempt ended, with what it cost either way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What came out.
    pub result: Result<Success, Failure>,
    /// What it cost.
    #[serde(default)]
    pub usage: Usage,
    /// The session of the run, if a model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Wall-clock time, in milliseconds.
    pub duration_ms: u64,
}

/// What a successful attempt brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Success {
    /// Planning brings a plan.
    Plan(Plan),
    /// A task brings a commit.
    Task(TaskResult),
    /// Merging brings the build's result.
    Merge(MergeResult),
}

/// The result of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// The commit the task ended in; what it started from, if it changed nothing and owed nothing.
    pub commit: Commit,
    /// The artifact that holds the commit and all it needs beyond the build's base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// How many files it added, changed or removed.
    pub files_changed: u32,
    /// What the model said at the end, cut to a bound.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
}

/// The result of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MergeResult {
    /// What the build started from.
    pub base: Commit,
    /// The merge of all its tasks.
    pub commit: Commit,
    /// The branch of the project's repository that now contains it.
    pub branch: String,
    /// How many files differ between the two.
    pub files_changed: u32,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such build.
    #[error("the build does not exist")]
    Unknown,
    /// It was submitted before.
    #[error("the build was submitted already")]
    AlreadySubmitted,
    /// It has ended; nothing can be asked of it any more.
    #[error("the build has ended")]
    Ended,
    /// The attempt is not the current one: whoever holds it must stop.
    #[error("attempt {attempt} of {work} is not the current one")]
    Stale {
        /// Which work.
        work: Work,
        /// The try that was named.
        attempt: Attempt,
    },
    /// Another executor began the attempt, and may still be at it.
    #[error("attempt {attempt} of {work} is with another executor")]
    HeldByAnother {
        /// Which work.
        work: Work,
        /// Which try.
        attempt: Attempt,
    },
    /// The outcome is not of the kind that the work brings.
    #[error("{work} cannot end in such an outcome")]
    WrongOutcome {
        /// Which work.
        work: Work,
    },
}

impl TaskStatus {
    /// Whether the task will not change any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Scheduled | Self::InProgress)
    }
}
