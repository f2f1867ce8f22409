use async_trait::async_trait;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use ports::{BusError, Handout, Lease, Offered, TaskQueue, WorkOrder};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Orders in memory, first come first served; an order that was given back comes first.
///
/// Clones are the same queue.
#[derive(Debug, Clone)]
pub struct LocalQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    orders: Mutex<Orders>,
    offered: Notify,
    capacity: usize,
}

/// Where an attempt is.
#[derive(Debug)]
enum Place {
    /// In the line, at this key.
    Waiting(i64),
    /// With the holder of this lease, who stops when the token is cancelled.
    Held(u64, CancellationToken),
}

#[derive(Debug)]
struct Waiting {
    order: WorkOrder,
    handout: Handout,
}

#[derive(Debug, Default)]
struct Orders {
    /// The line: lower keys come first. Keys below the first one are for orders that are given back.
    waiting: BTreeMap<i64, Waiting>,
    /// Every attempt that waits or is held, by its build.
    places: HashMap<BuildId, HashMap<(Work, Attempt), Place>>,
    next_key: i64,
    next_lease: u64,
    closed: bool,
}

/// Why an order was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{0} orders wait already")]
struct Full(usize);

impl LocalQueue {
    /// A queue in which at most `capacity` orders wait; more are refused as unavailable.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let shared = Shared { orders: Mutex::default(), offered: Notify::new(), capacity };
        Self { shared: Arc::new(shared) }
    }

    /// Gives out nothing any more, nor takes anything. Leases that are held stay valid.
    pub fn close(&self) {
        let mut orders = self.shared.orders();
        orders.closed = true;
        orders.waiting.clear();
        orders.places.clear();
        self.shared.offered.notify_waiters();
    }

    /// How many orders wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.orders().waiting.len()
    }
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        // Nothing between two changes of the orders can panic.
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    fn key(order: &WorkOrder) -> (Work, Attempt) {
        (order.work, order.attempt)
    }

    /// Whether the attempt waits or is held.
    fn has(&self, order: &WorkOrder) -> bool {
        self.places.get(&order.build).is_some_and(|of_build| of_build.contains_key(&Self::key(order)))
    }

    fn add(&mut self, order: WorkOrder) {
        let place = Place::Waiting(self.next_key);
        self.places.entry(order.build).or_default().insert(Self::key(&order), place);
        self.waiting.insert(self.next_key, Waiting { order, handout: Handout::First });
        self.next_key += 1;
    }

    fn take(&mut self) -> Option<(Waiting, u64, CancellationToken)> {
        let (_, taken) = self.waiting.pop_first()?;
        let order = &taken.order;
        let lease = self.next_lease;
        self.next_lease += 1;
        let revoked = CancellationToken::new();
        let held = Place::Held(lease, revoked.clone());
        self.places.entry(order.build).or_default().insert(Self::key(order), held);
        Some((taken, lease, revoked))
    }

    /// Ends a lease. Returns whether it still stood: a build that was forgotten takes its leases with it.
    fn end(&mut self, order: &WorkOrder, lease: u64) -> bool {
        let Some(of_build) = self.places.get_mut(&order.build) else { return false };
        let held = of_build.get(&Self::key(order));
        let stood = matches!(held, Some(Place::Held(holder, _)) if *holder == lease);
        if stood {
            of_build.remove(&Self::key(order));
            if of_build.is_empty() {
                self.places.remove(&order.build);
            }
        }
        stood
    }

    fn give_back(&mut self, order: WorkOrder) {
        let first = self.waiting.first_key_value().map_or(self.next_key, |(key, _)| *key);
        let key = first - 1;
        self.places.entry(order.build).or_default().insert(Self::key(&order), Place::Waiting(key));
        self.waiting.insert(key, Waiting { order, handout: Handout::Again });
    }

    fn forget(&mut self, build: BuildId) {
        for place in self.places.remove(&build).into_iter().flat_map(HashMap::into_values) {
            self.withdraw(place);
        }
    }

    fn revoke(&mut self, build: BuildId, work: Work, attempt: Attempt) {
        let Some(of_build) = self.places.get_mut(&build) else { return };
        let place = of_build.remove(&(work, attempt));
        if of_build.is_empty() {
            self.places.remove(&build);
        }
        if let Some(place) = place {
            self.withdraw(place);
        }
    }

    fn withdraw(&mut self, place: Place) {
        match place {
            Place::Waiting(key) => {
                self.waiting.remove(&key);
            }
            Place::Held(_, revoked) => revoked.cancel(),
        }
    }
}

#[async_trait]
impl TaskQueue for LocalQueue {
    async fn offer(&self, order: WorkOrder) -> Result<Offered, BusError> {
        let mut orders = self.shared.orders();
        if orders.closed {
            return Err(BusError::Closed);
        }
        if orders.has(&order) {
            return Ok(Offered::Duplicate);
        }
        if orders.waiting.len() >= self.shared.capacity {
            return Err(BusError::Unavailable(Box::new(Full(orders.waiting.len()))));
        }
        orders.add(order);
        self.shared.offered.notify_one();
        Ok(Offered::New)
    }

    async fn take(&self) -> Result<Box<dyn Lease>, BusError> {
        loop {
            let offered = self.shared.offered.notified();
            {
                let mut orders = self.shared.orders();
                if orders.closed {
                    return Err(BusError::Closed);
                }
                if let Some((Waiting { order, handout }, lease, revoked)) = orders.take() {
                    // Of two offers at once only one may have been heard.
                    if !orders.waiting.is_empty() {
                        self.shared.offered.notify_one();
                    }
                    return Ok(Box::new(LocalLease {
                        order,
                        handout,
                        lease,
                        revoked,
                        settled: false,
                        shared: Arc::clone(&self.shared),
                    }));
                }
            }
            offered.await;
        }
    }

    async fn has(&self, order: &WorkOrder) -> Result<bool, BusError> {
        Ok(self.shared.orders().has(order))
    }

    fn forget(&self, build: BuildId) {
        self.shared.orders().forget(build);
    }

    fn revoke(&self, build: BuildId, work: Work, attempt: Attempt) {
        self.shared.orders().revoke(build, work, attempt);
    }
}

struct LocalLease {
    order: WorkOrder,
    handout: Handout,
    lease: u64,
    revoked: CancellationToken,
    settled: bool,
    shared: Arc<Shared>,
}

#[async_trait]
impl Lease for LocalLease {
    fn order(&self) -> &WorkOrder {
        &self.order
    }

    fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }

    /// Never: whoever could hold it now is this very process.
    fn is_lost(&self) -> bool {
        false
    }

    fn handout(&self) -> Handout {
        self.handout
    }

    /// Nobody else can be at it: then it is over.
    async fn leave(self: Box<Self>) {
        self.settle().await;
    }

    async fn settle(mut self: Box<Self>) {
        self.settled = true;
    }
}

impl Drop for LocalLease {
    fn drop(&mut self) {
        let mut orders = self.shared.orders();
        let stood = orders.end(&self.order, self.lease);
        if stood && !self.settled {
            orders.give_back(self.order.clone());
            self.shared.offered.notify_one();
        }
    }
}
