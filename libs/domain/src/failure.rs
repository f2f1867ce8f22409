//! Why something failed, in classes that decide what happens next.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The class of a failure. Stable names: clients and dashboards group by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The Messages API answered with an error that may pass.
    ModelError,
    /// The Messages API asked to slow down.
    RateLimited,
    /// The Messages API refused the request: another try would be refused too.
    ModelRefused,
    /// No valid credential.
    Credential,
    /// The run took longer than its limit.
    Timeout,
    /// The process died or said nothing.
    Crashed,
    /// The model reached the limit of turns.
    TurnLimit,
    /// The cost limit was reached.
    Budget,
    /// Success was claimed, but the change that was owed is not there.
    NoEvidence,
    /// The task's check exited with something else than 0.
    CheckFailed,
    /// A `command` task exited with something else than 0.
    CommandFailed,
    /// Results of tasks contradict each other.
    MergeConflict,
    /// The plan that the model wrote is no valid plan.
    InvalidPlan,
    /// The repository could not be read or the branch does not exist.
    Repository,
    /// Disk, memory or another resource of the executor ran out.
    Resource,
    /// Attempts were lost with their executor too often.
    Lost,
    /// A defect or an unforeseen state in Buildwright.
    Internal,
}

impl FailureClass {
    /// Whether another attempt can be expected to end otherwise.
    #[must_use]
    pub fn retryable(self) -> bool {
        match self {
            Self::ModelError
            | Self::RateLimited
            | Self::Timeout
            | Self::Crashed
            | Self::TurnLimit
            | Self::NoEvidence
            | Self::CheckFailed
            | Self::InvalidPlan
            | Self::Resource => true,
            Self::ModelRefused
            | Self::Credential
            | Self::Budget
            | Self::CommandFailed
            | Self::MergeConflict
            | Self::Repository
            | Self::Lost
            | Self::Internal => false,
        }
    }

    /// How long to wait before attempt `next` (2 is the first retry). Only failures of something that may need
    /// time wait at all; the wait doubles from one second and ends at a minute.
    #[must_use]
    pub fn back_off(self, next: u32) -> Duration {
        match self {
            Self::ModelError | Self::RateLimited | Self::Crashed | Self::Resource => {
                Duration::from_secs(1 << next.saturating_sub(2).min(6)).min(Duration::from_mins(1))
            }
            _ => Duration::ZERO,
        }
    }
}

/// A failure with its explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// What happened and, where known, what to do; for people, without secrets or paths of the machine.
    pub message: String,
}

impl Failure {
    /// Most characters of a message that are kept.
    pub const MOST_CHARS: usize = 2_000;

    /// A failure; a long message is cut.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if let Some((at, _)) = message.char_indices().nth(Self::MOST_CHARS) {
            message.truncate(at);
            message.push('…');
        }
        Self { class, message }
    }
}
