//! Work orders.
//!
//! # Design
//!
//! *A stream per pool*, `TASKS` or `TASKS_<pool>`, made when the first order for it is offered; in it *a lane per
//! combination of labels* that orders ask for, with a consumer of its own that all executors share that have them;
//! and *a subject per attempt*, `buildwright.tasks.<pool>.<lane>.<build>.<work>.<attempt>`. What is slow in JetStream
//! is to look for the next message of a filter among many subjects. But the driver lets only some hundred orders
//! into the queue: with 500 waiting, one after the other is taken and settled in 1 ms each (nats-server 2.15.1,
//! two cores that had other work too).
//!
//! The subject buys three things: an order cannot be there twice, for as long as it is there; an ended build's
//! orders are removed by one purge, and no executor has to take them to find out; and an order whose body nobody
//! can read still says whose it is.
//!
//! *Priority is not in the subject*: what the driver admits first is offered first. Which tenant's turn it is
//! can't be decided by a queue that is filled long before.
//!
//! *Given out before* is what the server counts. An order that came when its taker had gone is put back as a new
//! message, since nobody can have begun with it. The count may be lost with a server that is killed: the driver's
//! numbers of attempts are what decides.
//!
//! *Revocations* go to all executors under `buildwright.revoke.>`, outside JetStream, after the order is purged.
//! One that gets lost is made up for: with every renewal of a lease the executor looks whether its order is
//! still there.

pub(crate) mod lanes;
mod lease;
mod puller;
mod slots;
mod withdrawals;

use crate::{NatsBus, body::Bodies, connection::unavailable, lane::Lane, subjects, trace};
use async_nats::jetstream::{
    ErrorCode,
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
    publish::PublishAck,
};
use async_trait::async_trait;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use futures::TryStreamExt;
use lanes::Lanes;
use lease::{Claim, NatsLease};
use names::PoolName;
use ports::{ArtifactStore, BusError, Lease, Offered, TaskQueue, WorkOrder};
use puller::Takers;
use std::{
    error::Error,
    sync::{Arc, Once},
    time::Duration,
};
use tokio::sync::mpsc;
use withdrawals::{Held, Withdrawal};

/// How long an order that this process cannot read waits before another may try.
const UNREADABLE: Duration = Duration::from_secs(1);

/// Work orders on JetStream, for the driver that offers them and the executors that take them. Clones are the
/// same queue.
#[derive(Clone)]
pub struct NatsQueue {
    bus: NatsBus,
    bodies: Bodies,
    lanes: Arc<Lanes>,
    withdrawals: mpsc::UnboundedSender<Withdrawal>,
    takers: Arc<Takers>,
    held: Arc<Held>,
    taking: Arc<Once>,
}

/// How much work there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Orders that wait.
    pub waiting: u64,
    /// Orders that executors hold.
    pub held: u64,
}

impl NatsQueue {
    /// The queue: offers go to the pool that the order names, taken is from the pool, and with the labels, that
    /// the bus was opened with. Large orders go through `artifacts`, which executors must share with the driver.
    #[must_use]
    pub fn new(bus: &NatsBus, artifacts: Arc<dyn ArtifactStore>) -> Self {
        let withdrawals = withdrawals::start(bus);
        Self {
            bus: bus.clone(),
            bodies: Bodies(artifacts),
            lanes: Arc::default(),
            withdrawals,
            takers: Arc::default(),
            held: Arc::default(),
            taking: Arc::new(Once::new()),
        }
    }

    /// How much work there is in a pool.
    ///
    /// # Errors
    /// If the bus cannot say.
    pub async fn backlog(&self, pool: &PoolName) -> Result<Backlog, BusError> {
        self.lanes.see_to(&self.bus, pool, &Lane::default()).await?;
        let stream = self.bus.stream(&subjects::tasks(pool)).await.map_err(unavailable)?;
        let mut backlog = Backlog { waiting: 0, held: 0 };
        let mut consumers = stream.consumers();
        while let Some(consumer) = consumers.try_next().await.map_err(unavailable)? {
            if Lane::of_consumer(&consumer.name).is_some() {
                backlog.waiting += consumer.num_pending;
                backlog.held += consumer.num_ack_pending as u64;
            }
        }
        Ok(backlog)
    }

    /// Whether an order lies in its stream, waiting or held.
    async fn is_there(&self, order: &WorkOrder) -> Result<bool, async_nats::Error> {
        let stream = subjects::tasks(&order.spec.pool);
        Ok(self.bus.last_message(&stream, &subject(order)).await?.is_some())
    }

    /// Publishes an order; if its stream is gone, makes it again.
    async fn publish(&self, order: &WorkOrder, message: PublishMessage) -> Result<PublishAck, Refused> {
        let (pool, lane) = (&order.spec.pool, Lane::of(order.requires()));
        self.lanes.see_to(&self.bus, pool, &lane).await.map_err(Refused::Lane)?;
        let again = message.clone();
        match self.bus.publish_once(&subject(order), message).await {
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.lanes.doubt(pool).await;
                self.lanes.see_to(&self.bus, pool, &lane).await.map_err(Refused::Lane)?;
                self.bus.publish_once(&subject(order), again).await.map_err(Refused::Order)
            }
            other => other.map_err(Refused::Order),
        }
    }

    /// What a delivered message asks for. One that cannot be read here goes to others, and after some tries
    /// becomes a failure.
    async fn read(&self, claim: &Claim) -> Option<WorkOrder> {
        let read = async {
            let body = self.bodies.unpack(claim.headers(), claim.payload()).await?;
            Ok::<_, Box<dyn Error + Send + Sync>>(WorkOrder::decode(&body)?)
        };
        match read.await {
            Ok(order) => Some(order),
            Err(error) => {
                tracing::error!(subject = claim.subject(), %error, "an order cannot be read");
                None
            }
        }
    }
}

#[async_trait]
impl TaskQueue for NatsQueue {
    async fn offer(&self, order: WorkOrder) -> Result<Offered, BusError> {
        if self.bus.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        // What is published while the connection is away may arrive when nobody expects it any more.
        if !self.bus.is_connected() {
            return Err(unavailable("NATS is not connected"));
        }
        let WorkOrder { build, work, attempt, .. } = order;
        let body = order.encode().map_err(unavailable)?;
        let (mut headers, payload) = self.bodies.pack(build, body).await?;
        trace::join_attempt(&mut headers, build, work, attempt);
        let message = PublishMessage::build()
            .headers(headers)
            .payload(payload)
            .message_id(format!("{build}:{work}:{attempt}"));
        match self.publish(&order, message).await {
            Ok(stored) if stored.duplicate => Ok(Offered::Duplicate),
            Ok(_) => Ok(Offered::New),
            // The same code stands for a full subject and for a full queue.
            Err(Refused::Order(error)) if is_full(&error) && self.is_there(&order).await.unwrap_or(false) => {
                Ok(Offered::Duplicate)
            }
            Err(Refused::Order(error)) => Err(unavailable(error)),
            Err(Refused::Lane(error)) => Err(error),
        }
    }

    async fn take(&self) -> Result<Box<dyn Lease>, BusError> {
        self.taking.call_once(|| {
            let (bus, takers, held) = (self.bus.clone(), Arc::clone(&self.takers), Arc::clone(&self.held));
            self.bus.spawn_until_closed(puller::run(bus, takers, held));
            self.bus.spawn(withdrawals::hear(self.bus.clone(), Arc::clone(&self.held)));
        });
        loop {
            let claim = self.takers.next(&self.bus.closed).await?;
            match self.read(&claim).await {
                Some(order) => return Ok(Box::new(NatsLease { order, claim: claim.taken() })),
                None => claim.taken().give_back(Some(UNREADABLE)),
            }
        }
    }

    async fn has(&self, order: &WorkOrder) -> Result<bool, BusError> {
        if !self.bus.is_connected() {
            return Err(unavailable("NATS is not connected"));
        }
        self.lanes.see_to(&self.bus, &order.spec.pool, &Lane::of(order.requires())).await?;
        self.is_there(order).await.map_err(unavailable)
    }

    fn forget(&self, build: BuildId) {
        self.withdraw(Withdrawal { build, attempt: None });
    }

    fn revoke(&self, build: BuildId, work: Work, attempt: Attempt) {
        self.withdraw(Withdrawal { build, attempt: Some((work, attempt)) });
    }
}

impl NatsQueue {
    fn withdraw(&self, withdrawal: Withdrawal) {
        // After the bus is closed there is nobody to tell.
        let _ = self.withdrawals.send(withdrawal);
    }
}

/// Why an order was not stored.
enum Refused {
    /// There is nowhere to put it.
    Lane(BusError),
    Order(PublishError),
}

fn subject(order: &WorkOrder) -> String {
    let WorkOrder { build, work, attempt, .. } = *order;
    subjects::task(&order.spec.pool, &Lane::of(order.requires()), (build, work, attempt))
}

fn is_full(error: &PublishError) -> bool {
    error.kind() == PublishErrorKind::Other
        && error
            .source()
            .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>())
            .is_some_and(|error| error.error_code() == ErrorCode::STREAM_STORE_FAILED)
}
