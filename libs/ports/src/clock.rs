//! Time, chance and identity: read at the edge, handed inward as values.

use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};

/// The time of day.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine has no chance to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine has no random numbers to give")]
pub struct NoChance;

/// Randomness that is fit for keys.
pub trait Chance: Send + Sync {
    /// Bytes that nobody can foresee.
    ///
    /// # Errors
    /// If the machine has none.
    fn bytes(&self) -> Result<[u8; 32], NoChance>;
}

/// New identifiers.
pub trait Ids: Send + Sync {
    /// An id no build has had, later than every id it gave before.
    fn build(&self) -> BuildId;

    /// An id no webhook endpoint has had, later than every id it gave before.
    fn endpoint(&self) -> EndpointId;
}
