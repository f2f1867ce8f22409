//! From the consumer to whoever waits for work: never more messages than there are takers.

use super::{lease::Claim, withdrawals::Held};
use crate::{NatsBus, pull::Pull, subjects::EXECUTORS};
use ports::BusError;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, oneshot};
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
        claim.give_back(None);
    }
}

pub(super) async fn run(bus: NatsBus, takers: Arc<Takers>, held: Arc<Held>) {
    let Ok(mut pull) = Pull::new(&bus, &bus.tasks, EXECUTORS).await else { return };
    loop {
        let came = takers.came.notified();
        // With no taker left, what was asked for may still come, and goes back.
        let wanted = takers.count();
        tokio::select! {
            biased;
            message = pull.next(wanted) => {
                let Ok(message) = message else { return pull.close().await };
                if let Some(claim) = Claim::new(&bus, &held, message) {
                    takers.hand(claim);
                }
            }
            () = came => {}
        }
    }
}
