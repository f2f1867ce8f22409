//! What doing a piece of work means.

use async_trait::async_trait;
use domain::build::Outcome;
use ports::WorkOrder;
use tokio_util::sync::CancellationToken;

/// Does work. It never fails as a call: whatever happens is an [`Outcome`].
#[async_trait]
pub trait Worker: Send + Sync {
    /// Carries an order out. When `stop` is cancelled it ends soon, and leaves neither process nor workspace.
    async fn carry_out(&self, order: &WorkOrder, stop: &CancellationToken) -> Outcome;
}
