//! What the owner of an endpoint asks for.

use crate::{BuildId, build::BuildSpec};
use names::ProjectName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything about an endpoint that its owner decides, but for secrets and values of headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSpec {
    /// Where to deliver, as it was given.
    pub url: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Types of events to deliver, as globs: `*`, `build_*`, `task_failed`.
    pub events: Vec<String>,
    /// Only builds of these projects; of all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<ProjectName>,
    /// Only builds with all of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How much of an event is delivered.
    pub payload: PayloadKind,
    /// The names of its own headers. Their values are kept with its secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header_names: Vec<String>,
    /// What waits for what.
    pub order: DeliveryOrder,
    /// Most deliveries begun within a second; as many as there are if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Most deliveries under way at the same time.
    pub concurrency: u32,
    /// How long one delivery may take until the whole answer is read.
    pub timeout_seconds: u32,
    /// How messages are signed.
    pub signatures: Signatures,
    /// The one build it was made for, if it was ordered with a build. It is never another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildId>,
}

/// How much of an event is delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadKind {
    /// The event with its data.
    #[default]
    Full,
    /// What it is about and where to read it.
    Thin,
}

/// What waits for what on the way to an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOrder {
    /// Nothing waits: whatever fails is tried again later.
    #[default]
    Any,
    /// An event waits until those before it of its build are delivered, or given up.
    PerBuild,
}

/// How messages are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signatures {
    /// With the secret that both sides have.
    #[default]
    Hmac,
    /// And with a key of which the other side has the public half.
    HmacAndEd25519,
}

impl EndpointSpec {
    /// Whether it wants to hear of a build of its tenant.
    #[must_use]
    pub fn wants(&self, id: BuildId, build: &BuildSpec) -> bool {
        self.build.is_none_or(|only| only == id)
            && (self.projects.is_empty() || self.projects.contains(&build.project))
            && self.labels.iter().all(|(name, value)| build.labels.get(name) == Some(value))
    }
}
