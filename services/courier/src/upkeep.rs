//! Old deliveries are removed, with what is left of endpoints that are gone, and unfinished ones counted.

use crate::{Courier, directory::remove};
use chrono::{DateTime, TimeDelta, Utc};
use domain::endpoint::EndpointState;
use ports::{EndpointRow, StoreError};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Between two counts.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// Counting stops here.
const MOST_COUNTED: usize = 100_000;
/// Most endpoints that are read at once.
const LIST: usize = 500;
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
    let before = courier.sender.clock.now().checked_sub_signed(keep);
    let step = courier.settings.prune_step.max(1);
    let done = async {
        if let Some(before) = before {
            in_steps(stop, step, || courier.deliveries.prune_deliveries(before, step)).await?;
            forget_disabled(courier, before).await?;
        }
        in_steps(stop, step, || courier.deliveries.forget_deleted(step)).await
    };
    if let Err(error) = done.await {
        tracing::warn!(%error, "old deliveries could not be removed");
    }
}

/// Does something again until it has less to do than it could.
async fn in_steps<F>(
    stop: &CancellationToken,
    step: usize,
    mut act: impl FnMut() -> F,
) -> Result<(), StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    while act().await? >= step as u64 {
        if timeout(BREATH, stop.cancelled()).await.is_ok() {
            return Ok(());
        }
    }
    Ok(())
}

/// Nobody enables an endpoint any more that was made for one build, was disabled, and has no deliveries left.
async fn forget_disabled(courier: &Courier, before: DateTime<Utc>) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let rows = courier.list.all_endpoints(after, LIST).await?;
        for row in rows.iter().filter(|row| is_forgotten(row, before)) {
            if has_ended(courier, row).await? {
                remove(courier, row.id).await;
            }
        }
        match rows.last() {
            Some(last) if rows.len() >= LIST => after = Some(last.id),
            _ => return Ok(()),
        }
    }
}

fn is_forgotten(row: &EndpointRow, before: DateTime<Utc>) -> bool {
    matches!(row.endpoint.state, EndpointState::Disabled { at, .. } if at < before)
}

/// Whether it was made for one build, and that is over.
async fn has_ended(courier: &Courier, row: &EndpointRow) -> Result<bool, StoreError> {
    let Some(build) = row.endpoint.spec.build else { return Ok(false) };
    let builds = courier.read_models.summaries(&[build]).await?;
    Ok(builds.iter().any(|build| build.status.is_terminal()))
}
