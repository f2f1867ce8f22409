//! Which executors there are, as they say themselves: for people and for deciding how much work to give out.
//! Nothing depends on its being right.

use crate::{BusError, ExecutorName};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use names::{ExecutorLabel, PoolName};
use serde::{Deserialize, Serialize};

/// An executor, as it described itself last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutorStatus {
    /// Its name, different at every start.
    pub name: ExecutorName,
    /// The version of Buildwright it runs.
    pub version: String,
    /// Whose work it takes.
    pub pool: PoolName,
    /// What tasks may ask for and it has.
    pub labels: Vec<ExecutorLabel>,
    /// How much it does at once.
    pub slots: u32,
    /// What it is at.
    pub running: Vec<RunningWork>,
    /// Whether it takes work.
    pub state: ExecutorState,
    /// Whether the model answers.
    pub breaker: BreakerState,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it said so.
    pub seen_at: DateTime<Utc>,
}

/// An attempt that an executor is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningWork {
    /// For which build.
    pub build: BuildId,
    /// Which work.
    pub work: Work,
    /// Which try.
    pub attempt: Attempt,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Whether an executor takes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutorState {
    /// It does.
    Working,
    /// It was told to stop: it ends what it is at and takes nothing new.
    Draining,
}

/// The circuit breaker before the model: when attempt after attempt fails because the model cannot be used,
/// an executor stops spending attempts on it for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum BreakerState {
    /// All is well.
    Closed,
    /// Nothing is taken until this time.
    Open {
        /// Until when.
        until: DateTime<Utc>,
        /// The class of the failure that opened it.
        reason: String,
    },
    /// One attempt is tried; it decides.
    HalfOpen,
}

/// The list of executors.
#[async_trait]
pub trait Roster: Send + Sync {
    /// An executor tells of itself: at its start, when something changes, and every few seconds. Who is silent
    /// for some time is taken off the list.
    async fn announce(&self, status: &ExecutorStatus);

    /// An executor leaves.
    async fn leave(&self, name: &ExecutorName);

    /// Who is there, by name.
    ///
    /// # Errors
    /// If the bus cannot say.
    async fn executors(&self) -> Result<Vec<ExecutorStatus>, BusError>;
}
