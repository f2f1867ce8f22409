//! What was ordered.

use crate::EndpointId;
use names::{BranchName, OwnedProject, PoolName, ProjectName, RepositoryUrl, TenantName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that is fixed when a build is submitted, but for a plan that came with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildSpec {
    /// What is asked for, in the words of the client.
    pub prompt: String,
    /// The project whose repository receives the result.
    pub project: ProjectName,
    /// Code to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// A hint for planning, such as `react` or `axum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// The model of every run that names no other.
    pub model: String,
    /// Bounds on time, money and parallelism.
    pub limits: Limits,
    /// The client's own labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whose build it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tenant: TenantName,
    /// What goes first among the builds of a tenant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: Priority,
    /// Which executors do it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pool: PoolName,
    /// The webhook endpoint that was ordered with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<EndpointId>,
}

impl BuildSpec {
    /// The project, as nobody else's of that name.
    #[must_use]
    pub fn owned_project(&self) -> OwnedProject {
        OwnedProject { tenant: self.tenant.clone(), name: self.project.clone() }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How urgent a build is, from -10 to 10. While executors are short, work of a higher priority is given out
/// first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Priority(i8);

/// Why a number is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be -10 to 10")]
pub struct PriorityError;

impl TryFrom<i64> for Priority {
    type Error = PriorityError;

    fn try_from(number: i64) -> Result<Self, PriorityError> {
        let small = i8::try_from(number).map_err(|_| PriorityError)?;
        if (-10..=10).contains(&small) { Ok(Self(small)) } else { Err(PriorityError) }
    }
}

impl From<Priority> for i64 {
    fn from(priority: Priority) -> Self {
        priority.0.into()
    }
}

/// Where a build's code starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Its address, without credentials.
    pub url: RepositoryUrl,
    /// The branch; the repository's default branch if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchName>,
}

/// Bounds of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Wall-clock limit of one attempt at one task, in seconds.
    pub task_timeout_seconds: u32,
    /// Wall-clock limit of the whole build, in seconds from its submission.
    pub build_timeout_seconds: u32,
    /// Limit on the cost in billionths of a US dollar. It is looked at whenever an attempt ends, so the
    /// attempts then running can exceed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_nano_usd: Option<u64>,
    /// Most tasks of the build at work at the same time.
    pub max_parallel: u32,
    /// Most attempts at one task, or at the plan; attempts lost with an executor are counted apart.
    pub max_attempts: u32,
}

impl Limits {
    /// How many tasks may be scheduled or running: at least one, since a build with none would never go on.
    pub(super) fn tasks_at_once(&self) -> u32 {
        self.max_parallel.max(1)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            task_timeout_seconds: 60,
            build_timeout_seconds: 15 * 60,
            max_cost_nano_usd: None,
            max_parallel: 5,
            max_attempts: 2,
        }
    }
}
