//! Old deliveries are removed, and unfinished ones counted.

use crate::Courier;
use chrono::TimeDelta;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Between two counts.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// Counting stops here.
const MOST_COUNTED: usize = 100_000;
/// Between two steps of removing, so that others get to write.
const BREATH: Duration = Duration::from_millis(100);

/// Does so until told to stop.
pub(crate) async fn keep_up(courier: &Courier, stop: &CancellationToken) {
    let mut prune_at = Instant::now() + courier.settings.prune_every;
    loop {
        match courier.deliveries.delivery_backlog(MOST_COUNTED).await {
            Ok(backlog) => courier.gauges.backlog(backlog),
            Err(error) => tracing::debug!(%error, "deliveries could not be counted"),
        }
        if Instant::now() >= prune_at {
            prune(courier, stop).await;
            prune_at = Instant::now() + courier.settings.prune_every;
        }
        let next = COUNT_EVERY.min(courier.settings.prune_every.max(Duration::from_secs(1)));
        if timeout(next, stop.cancelled()).await.is_ok() {
            return;
        }
    }
}

async fn prune(courier: &Courier, stop: &CancellationToken) {
    let keep = TimeDelta::from_std(courier.settings.keep).unwrap_or(TimeDelta::MAX);
    let now = courier.sender.clock.now();
    let Some(before) = now.checked_sub_signed(keep) else { return };
    let step = courier.settings.prune_step.max(1);
    while !stop.is_cancelled() {
        match courier.deliveries.prune_deliveries(before, step).await {
            Ok(gone) if gone < step as u64 => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "old deliveries could not be removed");
                return;
            }
        }
        let _ = timeout(BREATH, stop.cancelled()).await;
    }
}
