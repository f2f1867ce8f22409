//! Which of several replicas does what one is enough for.

use crate::StoreError;
use async_trait::async_trait;
use std::{any::Any, fmt};
use tokio_util::sync::CancellationToken;

/// A time of leading. Dropped, it is given up, and another may lead at once.
pub struct Term {
    over: CancellationToken,
    _held: Box<dyn Any + Send>,
}

impl Term {
    /// A term that lasts until the token is cancelled, or what holds it is dropped with it.
    #[must_use]
    pub fn new(over: CancellationToken, held: Box<dyn Any + Send>) -> Self {
        Self { over, _held: held }
    }

    /// Cancelled when this process cannot be sure any more that it leads. Another may have begun already: what
    /// a leader does must be harmless when two do it.
    #[must_use]
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term").field("over", &self.over.is_cancelled()).finish_non_exhaustive()
    }
}

/// The election among the replicas of a role.
#[async_trait]
pub trait Leadership: Send + Sync {
    /// Waits until this process leads, through outages too.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when that will not be any more.
    async fn lead(&self) -> Result<Term, StoreError>;
}
