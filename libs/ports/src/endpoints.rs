//! Webhook endpoints: the list of them, which is a read model, and their secrets, which are kept sealed and are in
//! no event.

use crate::{StoreError, Version};
use async_trait::async_trait;
use domain::{Endpoint, EndpointId};
use names::TenantName;

/// An endpoint in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointRow {
    /// Which one.
    pub id: EndpointId,
    /// The version of its stream that the row stands for.
    pub version: Version,
    /// How it is then.
    pub endpoint: Endpoint,
}

/// Which endpoints to list. Those that were made for one build are in no list.
#[derive(Debug, Clone)]
pub struct EndpointFilter {
    /// Only this tenant's.
    pub tenant: TenantName,
    /// Only endpoints made before this one: where the page before ended.
    pub before: Option<EndpointId>,
    /// Most endpoints.
    pub limit: usize,
}

/// A page of a list, newest endpoint first.
#[derive(Debug, Clone, Default)]
pub struct EndpointPage {
    /// The endpoints.
    pub endpoints: Vec<EndpointRow>,
    /// Whether older ones follow.
    pub more: bool,
}

/// Endpoints as far as events have been folded in, see [`crate::ReadModels::projected`]. Rows of deleted ones stay,
/// so that nobody who is late stores them again, and are in no list.
#[async_trait]
pub trait EndpointList: Send + Sync {
    /// A page of a tenant's endpoints.
    ///
    /// # Errors
    /// The store's failure.
    async fn endpoints(&self, filter: &EndpointFilter) -> Result<EndpointPage, StoreError>;

    /// How many endpoints of a tenant would be listed. Counting stops at `most`.
    ///
    /// # Errors
    /// The store's failure.
    async fn count_endpoints(&self, tenant: &TenantName, most: usize) -> Result<usize, StoreError>;

    /// Endpoints of all tenants, disabled ones and those made for one build too, oldest first, after the given one,
    /// at most `limit`.
    ///
    /// # Errors
    /// The store's failure.
    async fn all_endpoints(
        &self,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError>;

    /// The rows of some endpoints, deleted ones too, for folding further events into them.
    ///
    /// # Errors
    /// The store's failure.
    async fn endpoint_rows(&self, ids: &[EndpointId]) -> Result<Vec<EndpointRow>, StoreError>;

    /// Stores rows, each in place of one of an older version. Before the position they stand for is: who stores a row
    /// again changes nothing.
    ///
    /// # Errors
    /// The store's failure; whatever was stored then may be stored again.
    async fn put_endpoints(&self, rows: &[EndpointRow]) -> Result<(), StoreError>;
}

/// What only the sender may know of an endpoint, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    /// The version of the endpoint's stream that they belong to.
    pub version: Version,
    /// As they are kept.
    pub sealed: Vec<u8>,
}

/// Its size only.
impl std::fmt::Debug for SealedSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedSecrets(of version {}, {} bytes)", self.version, self.sealed.len())
    }
}

/// What became of secrets that were to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// They are.
    Stored,
    /// Those of a version as new or newer are kept: nothing is stored.
    Outdated,
}

/// The secrets of endpoints.
#[async_trait]
pub trait EndpointSecrets: Send + Sync {
    /// Keeps an endpoint's secrets in place of those of an older version.
    ///
    /// # Errors
    /// The store's failure; what was kept stays then.
    async fn put_secrets(&self, id: EndpointId, secrets: &SealedSecrets) -> Result<Kept, StoreError>;

    /// An endpoint's secrets, if there are any.
    ///
    /// # Errors
    /// The store's failure.
    async fn secrets(&self, id: EndpointId) -> Result<Option<SealedSecrets>, StoreError>;

    /// Forgets an endpoint's secrets.
    ///
    /// # Errors
    /// The store's failure.
    async fn remove_secrets(&self, id: EndpointId) -> Result<(), StoreError>;
}
