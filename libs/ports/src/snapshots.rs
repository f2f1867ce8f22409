//! What was folded of long streams, so that it need not be folded again. Events alone are the truth: a snapshot
//! may be missing, old or unreadable, and costs time then, nothing else.

use crate::{Position, StoreError, StreamId, Version};
use async_trait::async_trait;

/// The state of a stream's aggregate after one of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The version of that event.
    pub version: Version,
    /// Its position.
    pub position: Position,
    /// The schema version of the state.
    pub schema_version: u16,
    /// The state, as the aggregate writes it.
    pub state: String,
}

/// One snapshot a stream, beside its events.
#[async_trait]
pub trait Snapshots: Send + Sync {
    /// The stream's snapshot, if it has one.
    ///
    /// # Errors
    /// The store's failure.
    async fn load_snapshot(&self, stream: StreamId) -> Result<Option<Snapshot>, StoreError>;

    /// Keeps a snapshot instead of the one before, unless that is of a later version.
    ///
    /// # Errors
    /// The store's failure.
    async fn save_snapshot(&self, stream: StreamId, snapshot: Snapshot) -> Result<(), StoreError>;
}
