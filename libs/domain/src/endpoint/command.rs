//! What may be asked of an endpoint.

use super::{DisabledReason, EndpointSpec};
use chrono::{DateTime, Utc};
use names::TenantName;
use serde::{Deserialize, Serialize};

/// A command on an endpoint. Every fact that deciding needs is inside.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Begin.
    Create {
        /// Whose it is.
        tenant: TenantName,
        /// What is asked for.
        spec: EndpointSpec,
        /// The end of the log: events after it are delivered.
        from: u64,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Ask for something else.
    Update {
        /// All of what is asked for from now on.
        spec: EndpointSpec,
        /// What becomes of the values of its headers.
        values: Values,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Deliver nothing for the time being.
    Disable {
        /// Why.
        reason: DisabledReason,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Deliver again.
    Enable {
        /// The end of the log: events after it are delivered.
        from: u64,
        /// Now.
        at: DateTime<Utc>,
    },
    /// Sign with a new secret.
    RotateSecret {
        /// Until when messages are signed with the secrets before too.
        old_valid_until: DateTime<Utc>,
        /// Now.
        at: DateTime<Utc>,
    },
    /// End it for good.
    Delete {
        /// Now.
        at: DateTime<Utc>,
    },
}

/// What an update does with the values of headers, which no event holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// They stay.
    #[default]
    Kept,
    /// Others take their place.
    Replaced,
}

impl Values {
    /// Whether they stay.
    #[must_use]
    pub fn are_kept(&self) -> bool {
        *self == Self::Kept
    }
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such endpoint, or it is deleted.
    #[error("the webhook endpoint does not exist")]
    Unknown,
    /// It was created before.
    #[error("the webhook endpoint was created already")]
    AlreadyCreated,
    /// It was made for one build, or for all, and that stays so.
    #[error("the build that a webhook endpoint was made for cannot be changed")]
    OtherBuild,
}
