//! The `Endpoint` aggregate: an address outside that is told of events.
//!
//! | file | what |
//! |---|---|
//! | `spec` | what its owner asks for: where to, what of, how |
//! | `command` | what may be asked of an endpoint |
//! | `event` | what happened, as it is stored for ever |
//! | `decide` | command to events |
//! | `apply` | event to state |
//!
//! Its secrets and the values of its headers are no part of it: events are forever and are told outside.

mod apply;
mod command;
mod decide;
mod event;
mod spec;

pub use command::{Command, Rejection, Values};
pub use event::{DisabledReason, EndpointEvent, data};
pub use spec::{DeliveryOrder, EndpointSpec, PayloadKind, Signatures};

use chrono::{DateTime, Utc};
use names::TenantName;
use serde::{Deserialize, Serialize};

/// An endpoint as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Whose it is: it is told of this tenant's builds only.
    pub tenant: TenantName,
    /// What its owner asks for.
    pub spec: EndpointSpec,
    /// Whether anything is delivered to it.
    pub state: EndpointState,
    /// The place in the whole log after which events are delivered.
    pub from: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When anything about it changed last.
    pub updated_at: DateTime<Utc>,
}

/// Whether anything is delivered to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum EndpointState {
    /// It is told of what happens.
    Enabled,
    /// Nothing is delivered until it is enabled.
    Disabled {
        /// Since when.
        at: DateTime<Utc>,
        /// Why.
        reason: DisabledReason,
    },
    /// It is gone for good.
    Deleted,
}
