//! What is no longer wanted: removed from the stream, and whoever holds it is told.

use super::lanes;
use crate::{
    NatsBus,
    subjects::{self, ALL_REVOCATIONS},
};
use bytes::Bytes;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use futures::StreamExt;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long to wait before trying again.
const AGAIN: Duration = Duration::from_millis(200);

/// Most withdrawals at once.
const BATCH: usize = 256;

/// A build, or one attempt of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Withdrawal {
    pub(super) build: BuildId,
    pub(super) attempt: Option<(Work, Attempt)>,
}

/// What this process holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    builds: Mutex<HashMap<BuildId, HeldOfBuild>>,
}

/// By attempt and delivery.
type HeldOfBuild = HashMap<(Work, Attempt, u64), CancellationToken>;

impl Held {
    fn builds(&self) -> MutexGuard<'_, HashMap<BuildId, HeldOfBuild>> {
        // Nothing between two changes can panic.
        self.builds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, held: (BuildId, Work, Attempt), delivery: u64, revoked: CancellationToken) {
        let (build, work, attempt) = held;
        self.builds().entry(build).or_default().insert((work, attempt, delivery), revoked);
    }

    pub(super) fn remove(&self, held: (BuildId, Work, Attempt), delivery: u64) {
        let (build, work, attempt) = held;
        let mut builds = self.builds();
        if let Some(of_build) = builds.get_mut(&build) {
            of_build.remove(&(work, attempt, delivery));
            if of_build.is_empty() {
                builds.remove(&build);
            }
        }
    }

    fn revoke(&self, build: BuildId, attempt: Option<(Work, Attempt)>) {
        for ((work, number, _), revoked) in self.builds().get(&build).into_iter().flatten() {
            if attempt.is_none_or(|attempt| attempt == (*work, *number)) {
                revoked.cancel();
            }
        }
    }
}

/// Carries out withdrawals in their order, each until it succeeds.
pub(super) fn start(bus: &NatsBus) -> mpsc::UnboundedSender<Withdrawal> {
    let (sender, mut withdrawals) = mpsc::unbounded_channel();
    let bus = bus.clone();
    tokio::spawn(async move {
        let mut batch = Vec::new();
        loop {
            batch.clear();
            tokio::select! {
                () = bus.closed.cancelled() => return,
                count = withdrawals.recv_many(&mut batch, BATCH) => if count == 0 { return },
            }
            while let Err(error) = withdraw(&bus, &batch).await {
                if bus.closed.is_cancelled() {
                    return;
                }
                tracing::warn!(%error, count = batch.len(), "orders are still to be withdrawn");
                tokio::time::sleep(AGAIN).await;
            }
        }
    });
    sender
}

/// First the orders go, then whoever holds them is told: what they give back is then not handed out again. In
/// which pool a build's orders are is not known here, and another driver may have made its stream just now; so
/// the server is asked which streams there are.
async fn withdraw(bus: &NatsBus, withdrawals: &[Withdrawal]) -> Result<(), async_nats::Error> {
    if bus.connected().await.is_err() {
        return Ok(());
    }
    let streams = lanes::streams(bus).await?;
    for Withdrawal { build, attempt } in withdrawals {
        for stream in &streams {
            bus.purge(stream, subjects::tasks_of_build(*build, *attempt)).await?;
        }
        bus.client.publish(subjects::revocation(*build, *attempt), Bytes::new()).await?;
    }
    Ok(())
}

/// Hears what others withdraw.
pub(super) async fn hear(bus: NatsBus, held: std::sync::Arc<Held>) {
    let Ok(mut revocations) = bus.client.subscribe(ALL_REVOCATIONS).await else { return };
    loop {
        let message = tokio::select! {
            () = bus.closed.cancelled() => return,
            message = revocations.next() => match message { Some(message) => message, None => return },
        };
        if let Some((build, attempt)) = subjects::revoked(&message.subject) {
            held.revoke(build, attempt);
        }
    }
}
