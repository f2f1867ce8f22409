//! Work that waits, and work that is held.

use async_trait::async_trait;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use ports::{BusError, Lease, TaskQueue, WorkOrder};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A queue of work: first in, first out; an attempt is in it at most once, waiting or held.
#[derive(Clone, Default)]
pub struct LocalQueue {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    more: Notify,
}

type Key = (Work, Attempt);

/// Where an attempt is.
enum Place {
    /// In the queue, under this ticket.
    Waiting(i64),
    /// With somebody, until they settle or this is cancelled.
    Held(CancellationToken),
}

#[derive(Default)]
struct State {
    queue: BTreeMap<i64, WorkOrder>,
    places: HashMap<BuildId, HashMap<Key, Place>>,
    next: i64,
}

impl State {
    fn place(&mut self, build: BuildId, key: Key) -> Option<&mut Place> {
        self.places.get_mut(&build)?.get_mut(&key)
    }

    fn remove(&mut self, build: BuildId, key: Key) -> Option<Place> {
        let places = self.places.get_mut(&build)?;
        let place = places.remove(&key);
        if places.is_empty() {
            self.places.remove(&build);
        }
        place
    }

    fn drop_place(&mut self, place: Place) {
        match place {
            Place::Waiting(ticket) => {
                self.queue.remove(&ticket);
            }
            Place::Held(token) => token.cancel(),
        }
    }
}

impl LocalQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskQueue for LocalQueue {
    async fn offer(&self, order: WorkOrder) -> Result<(), BusError> {
        let mut state = self.shared.state();
        let ticket = state.next;
        let places = state.places.entry(order.build).or_default();
        if places.contains_key(&(order.work, order.attempt)) {
            return Ok(());
        }
        places.insert((order.work, order.attempt), Place::Waiting(ticket));
        state.next += 1;
        state.queue.insert(ticket, order);
        drop(state);
        self.shared.more.notify_one();
        Ok(())
    }

    async fn take(&self) -> Result<Box<dyn Lease>, BusError> {
        loop {
            let more = self.shared.more.notified();
            if let Some(lease) = self.next() {
                return Ok(Box::new(lease));
            }
            more.await;
        }
    }

    fn forget(&self, build: BuildId) {
        let mut state = self.shared.state();
        for place in state.places.remove(&build).into_iter().flat_map(HashMap::into_values) {
            state.drop_place(place);
        }
    }

    fn revoke(&self, build: BuildId, work: Work, attempt: Attempt) {
        let mut state = self.shared.state();
        if let Some(place) = state.remove(build, (work, attempt)) {
            state.drop_place(place);
        }
    }
}

impl LocalQueue {
    fn next(&self) -> Option<LocalLease> {
        let mut state = self.shared.state();
        let (_, order) = state.queue.pop_first()?;
        let revoked = CancellationToken::new();
        if let Some(place) = state.place(order.build, (order.work, order.attempt)) {
            *place = Place::Held(revoked.clone());
        }
        let more = !state.queue.is_empty();
        drop(state);
        if more {
            // One notification may stand for several offers: hand it on.
            self.shared.more.notify_one();
        }
        Some(LocalLease { shared: Arc::clone(&self.shared), order: Some(order), revoked })
    }
}

struct LocalLease {
    shared: Arc<Shared>,
    /// Taken when settled.
    order: Option<WorkOrder>,
    revoked: CancellationToken,
}

impl Lease for LocalLease {
    fn order(&self) -> &WorkOrder {
        // `settle` takes the lease with it: while somebody can ask, the order is there.
        #[expect(clippy::expect_used, reason = "only `settle` and `drop` take it, and both end the lease")]
        self.order.as_ref().expect("a lease holds its order")
    }

    fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }

    fn settle(mut self: Box<Self>) {
        if let Some(order) = self.order.take()
            && !self.revoked.is_cancelled()
        {
            self.shared.state().remove(order.build, (order.work, order.attempt));
        }
    }
}

impl Drop for LocalLease {
    /// Given back unsettled: it goes to the front, unless it was revoked.
    fn drop(&mut self) {
        let Some(order) = self.order.take() else { return };
        let mut state = self.shared.state();
        let front = state.queue.first_key_value().map_or(state.next, |(first, _)| *first) - 1;
        match state.place(order.build, (order.work, order.attempt)) {
            Some(place) if !self.revoked.is_cancelled() => *place = Place::Waiting(front),
            _ => return,
        }
        state.queue.insert(front, order);
        drop(state);
        self.shared.more.notify_one();
    }
}
