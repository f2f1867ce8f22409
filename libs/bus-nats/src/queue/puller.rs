//! From the consumer to whoever waits for work: never more messages than there are takers.

use super::{lanes, lease::Claim, slots::Slots, withdrawals::Held};
use crate::{NatsBus, lane::Lane};
use futures::future::join_all;
use ports::BusError;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Those who wait for work, in the order they came.
#[derive(Default)]
pub(super) struct Takers {
    waiting: Mutex<VecDeque<oneshot::Sender<Claim>>>,
    came: Notify,
}

impl Takers {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Claim>>> {
        // Nothing between two changes can panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next delivery. When dropped, whatever was on its way goes back.
    pub(super) async fn next(&self, closed: &CancellationToken) -> Result<Claim, BusError> {
        let (give, given) = oneshot::channel();
        self.waiting().push_back(give);
        self.came.notify_one();
        tokio::select! {
            biased;
            () = closed.cancelled() => Err(BusError::Closed),
            claim = given => claim.map_err(|_| BusError::Closed),
        }
    }

    /// How many wait still.
    fn count(&self) -> usize {
        let mut waiting = self.waiting();
        waiting.retain(|taker| !taker.is_closed());
        waiting.len()
    }

    fn hand(&self, mut claim: Claim) {
        while let Some(taker) = { self.waiting().pop_front() } {
            match taker.send(claim) {
                Ok(()) => return,
                Err(unwanted) => claim = unwanted,
            }
        }
    }
}

pub(super) async fn run(bus: NatsBus, takers: Arc<Takers>, held: Arc<Held>) {
    let (find, found) = mpsc::unbounded_channel();
    if !bus.options.labels.is_empty() {
        bus.spawn(find_lanes(bus.clone(), find));
    }
    let Ok(mut slots) = Slots::open(&bus, found).await else { return };
    loop {
        let came = takers.came.notified();
        // With no taker left, what was asked for may still come, and is put back.
        let wanted = takers.count();
        tokio::select! {
            biased;
            message = slots.next(wanted) => {
                let Ok(message) = message else { break };
                if let Some(claim) = Claim::new(&bus, &held, message) {
                    takers.hand(claim);
                }
            }
            () = came => {}
        }
    }
    let unwanted = slots.close().await;
    let claims = unwanted.into_iter().filter_map(|message| Claim::new(&bus, &held, message));
    join_all(claims.map(Claim::put_back)).await;
}

/// Looks which lanes of our pool there are that our labels suffice for.
async fn find_lanes(bus: NatsBus, find: mpsc::UnboundedSender<Lane>) {
    loop {
        match lanes::of_stream(&bus, &bus.tasks).await {
            Ok(lanes) => {
                for lane in lanes.into_iter().filter(|lane| lane.suits(&bus.options.labels)) {
                    let _ = find.send(lane);
                }
            }
            Err(error) => tracing::debug!(%error, "it cannot be seen which labels are asked for"),
        }
        tokio::select! {
            () = bus.closed.cancelled() => return,
            () = tokio::time::sleep(bus.options.lanes_every) => {}
        }
        if bus.connected().await.is_err() {
            return;
        }
    }
}
