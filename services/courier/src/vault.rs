//! What only the sender knows of an endpoint.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::EndpointId;
use ports::StoreError;
use webhooks::{CustomHeaders, Signer, SimpleKey};

/// How messages to an endpoint are signed, and what they bring along.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs by Standard Webhooks, with every key that is valid now.
    pub signer: Signer,
    /// Signs by the simple scheme.
    pub simple: SimpleKey,
    /// The endpoint's own headers.
    pub headers: CustomHeaders,
    /// When a key stops being valid.
    pub valid_until: Option<DateTime<Utc>>,
}

/// Why an endpoint has no keys.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store failed: later it may work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are none, or they cannot be opened.
    #[error("the endpoint's secrets cannot be opened")]
    Closed,
}

/// Where keys are kept.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The keys of an endpoint as they are at a time.
    ///
    /// # Errors
    /// If there are none to be had.
    async fn open(&self, id: EndpointId, now: DateTime<Utc>) -> Result<Keys, VaultError>;
}
