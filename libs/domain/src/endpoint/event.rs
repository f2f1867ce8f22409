//! What happened to endpoints, as it is stored for ever.
//!
//! The same contract as with the events of builds: golden files hold every version that was ever written. No event
//! holds a secret or the value of a header.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The data of each event, by type.
pub mod data {
    use crate::endpoint::*;
    use chrono::{DateTime, Utc};
    use names::TenantName;

    crate::stored::event_data! {
        /// Somebody wants to be told of events.
        EndpointCreated {
            /// Whose it is.
            tenant: TenantName,
            /// What is asked for.
            #[serde(flatten)]
            spec: EndpointSpec,
            /// The place in the whole log after which events are delivered.
            from: u64,
            /// When.
            at: DateTime<Utc>,
        }
        /// Something else is asked for.
        EndpointUpdated {
            /// All of what is asked for from now on.
            #[serde(flatten)]
            spec: EndpointSpec,
            /// What became of the values of its headers.
            #[serde(default, skip_serializing_if = "Values::are_kept")]
            header_values: Values,
            /// When.
            at: DateTime<Utc>,
        }
        /// Nothing is delivered any more.
        EndpointDisabled {
            /// Why.
            reason: DisabledReason,
            /// When.
            at: DateTime<Utc>,
        }
        /// It is delivered to again.
        EndpointEnabled {
            /// The place in the whole log after which events are delivered.
            from: u64,
            /// When.
            at: DateTime<Utc>,
        }
        /// There is a new secret.
        EndpointSecretRotated {
            /// Until when messages are signed with the secrets before too.
            old_valid_until: DateTime<Utc>,
            /// When.
            at: DateTime<Utc>,
        }
        /// It is gone for good.
        EndpointDeleted {
            /// When.
            at: DateTime<Utc>,
        }
    }
}

/// Why nothing is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DisabledReason {
    /// Its owner asked for it.
    ByClient,
    /// Every delivery failed for too long.
    Failing {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It answered that there is nobody to tell any more (410).
    Gone,
}

crate::stored::stored_events! {
    /// An event of an endpoint.
    EndpointEvent {
        EndpointCreated "webhook_endpoint_created" 1 "Somebody wants to be told of events.",
        EndpointUpdated "webhook_endpoint_updated" 1 "Something else is asked for.",
        EndpointDisabled "webhook_endpoint_disabled" 1 "Nothing is delivered any more.",
        EndpointEnabled "webhook_endpoint_enabled" 1 "It is delivered to again.",
        EndpointSecretRotated "webhook_endpoint_secret_rotated" 1 "There is a new secret.",
        EndpointDeleted "webhook_endpoint_deleted" 1 "It is gone for good.",
    }
}
