//! How much the executors can take.

use crate::{Driver, admission::Capacity, desk::Desk};
use ports::{ExecutorState, ExecutorStatus};
use tokio_util::sync::CancellationToken;

impl Driver {
    /// Keeps the windows as wide as the executors need, if there is anybody to ask.
    pub(crate) async fn follow_roster(&self, desk: &Desk, stop: &CancellationToken) {
        let Some(roster) = &self.roster else { return };
        loop {
            match roster.executors().await {
                Ok(executors) => {
                    desk.admission().set_fleet(executors.into_iter().filter_map(capacity).collect());
                    desk.ring();
                }
                Err(error) => tracing::debug!(%error, "the executors are not known"),
            }
            if tokio::time::timeout(self.settings.roster_interval, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}

fn capacity(executor: ExecutorStatus) -> Option<Capacity> {
    let ExecutorStatus { pool, labels, slots, state, .. } = executor;
    let slots = usize::try_from(slots).unwrap_or(usize::MAX);
    (state == ExecutorState::Working).then_some(Capacity { pool, labels, slots })
}
