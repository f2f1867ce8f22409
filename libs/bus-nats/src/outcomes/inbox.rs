//! Where an executor hears that its reports are confirmed: one subscription for all of them.

use super::REFUSED;
use crate::NatsBus;
use futures::StreamExt;
use ports::{Answer, BusError, Confirmation};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::oneshot;

/// When more confirmations than this are expected, those that nobody waits for any more are looked for.
const SWEEP: usize = 1_024;

pub(super) struct Inbox {
    prefix: String,
    next: AtomicU64,
    expected: Arc<Mutex<Expected>>,
}

#[derive(Default)]
struct Expected {
    by_number: HashMap<u64, oneshot::Sender<Answer>>,
    sweep_at: usize,
}

impl Inbox {
    pub(super) async fn open(bus: &NatsBus) -> Result<Self, BusError> {
        let prefix = bus.client.new_inbox();
        let subject = format!("{prefix}.*");
        let mut confirmations = bus.client.subscribe(subject).await.map_err(|_| BusError::Closed)?;
        let expected: Arc<Mutex<Expected>> = Arc::default();
        let (bus, granted) = (bus.clone(), Arc::clone(&expected));
        tokio::spawn(async move {
            loop {
                let confirmation = tokio::select! {
                    () = bus.closed.cancelled() => return,
                    confirmation = confirmations.next() => match confirmation { Some(c) => c, None => return },
                };
                let number = confirmation.subject.rsplit('.').next().and_then(|token| token.parse().ok());
                let waiting = number.and_then(|number| lock(&granted).by_number.remove(&number));
                if let Some(waiting) = waiting {
                    let refused = &confirmation.payload[..] == REFUSED;
                    let _ = waiting.send(if refused { Answer::Refused } else { Answer::Accepted });
                }
            }
        });
        Ok(Self { prefix, next: AtomicU64::new(0), expected })
    }

    /// A new subject, and what is granted when something arrives there.
    pub(super) fn expect(&self) -> (String, Confirmation) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (grant, confirmation) = Confirmation::pair();
        let mut expected = lock(&self.expected);
        expected.by_number.insert(number, grant);
        if expected.by_number.len() > expected.sweep_at.max(SWEEP) {
            expected.by_number.retain(|_, grant| !grant.is_closed());
            expected.sweep_at = expected.by_number.len() * 2;
        }
        (format!("{}.{number}", self.prefix), confirmation)
    }
}

fn lock(expected: &Mutex<Expected>) -> std::sync::MutexGuard<'_, Expected> {
    // Nothing between two changes can panic.
    expected.lock().unwrap_or_else(PoisonError::into_inner)
}
