//! An order in the hands of an executor: a delivered message, renewed until it is settled or given back.

mod place;

use super::withdrawals::Held;
use crate::{NatsBus, subjects};
use async_nats::{
    HeaderMap, Message, Subject,
    header::NATS_MESSAGE_ID,
    jetstream::{self, message::PublishMessage},
};
use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use place::{Lies, Place};
use ports::{Handout, Lease, WorkOrder};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// How long to wait before trying again to renew a lease.
const AGAIN: Duration = Duration::from_millis(100);

/// A delivery that is renewed. Dropped unsettled, it goes back; if nobody took it, as if it had never come.
pub(super) struct Claim {
    delivery: Arc<Delivery>,
    message: Message,
    renewing: AbortHandle,
    handout: Handout,
    progress: Progress,
}

/// How far it got with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody has begun with it.
    Came,
    /// Somebody has it and may have begun.
    Taken,
    /// It is settled, or gone back.
    Over,
}

/// What renewing needs to know of a delivery.
struct Delivery {
    bus: NatsBus,
    /// Where it is acknowledged.
    reply: Subject,
    place: Place,
    /// Its number among those that came to this process.
    number: u64,
    /// Which stream that was.
    incarnation: i64,
    attempt: (BuildId, Work, Attempt),
    held: Arc<Held>,
    revoked: CancellationToken,
    term: Mutex<Term>,
}

/// Until when the server gives the order to nobody else.
#[derive(Debug, Clone, Copy)]
enum Term {
    /// As of this moment, which is when the last renewal was sent, or before.
    Runs(Instant),
    /// It ran out; there is no way back, since somebody else may have the order.
    Over,
}

impl Claim {
    /// Starts renewing at once: before anything that may take time. `None` for a message that is no order.
    pub(super) fn new(bus: &NatsBus, held: &Arc<Held>, message: Message) -> Option<Self> {
        let reply = message.reply.clone()?;
        let (place, delivered) = Place::of(bus, &message)?;
        let handout = handout(bus, place.sequence, delivered);
        let Some(attempt) = subjects::attempt_of_task(&message.subject) else {
            tracing::error!(subject = %message.subject, "there is something in the queue that is no order");
            return None;
        };
        let delivery = Arc::new(Delivery {
            bus: bus.clone(),
            reply,
            place,
            number: held.next_number(),
            incarnation: bus.incarnation(),
            attempt,
            held: Arc::clone(held),
            revoked: CancellationToken::new(),
            term: Mutex::new(Term::Runs(Instant::now())),
        });
        if !held.add(attempt, delivery.number, handout, delivery.revoked.clone()) {
            // The server forgot that it gave it to us.
            tracing::debug!(work = ?attempt, "an order came again while we are at it");
            return None;
        }
        let renewing = tokio::spawn(Arc::clone(&delivery).renew()).abort_handle();
        Some(Self { delivery, message, renewing, handout, progress: Progress::Came })
    }

    pub(super) fn subject(&self) -> &str {
        &self.message.subject
    }

    pub(super) fn headers(&self) -> Option<&HeaderMap> {
        self.message.headers.as_ref()
    }

    pub(super) fn payload(&self) -> Bytes {
        self.message.payload.clone()
    }

    /// Somebody has it now.
    pub(super) fn taken(mut self) -> Self {
        self.progress = Progress::Taken;
        self
    }

    /// Gives it back: to be handed out again at once, or after a while. It then counts as taken before.
    pub(super) fn give_back(&mut self, after: Option<Duration>) {
        self.progress = Progress::Over;
        let delivery = &self.delivery;
        // If it does not arrive, the lease runs out.
        if delivery.is_ours() {
            delivery.bus.say(delivery.reply.clone(), jetstream::AckKind::Nak(after).into());
        }
    }

    /// Puts back what nobody began with: as a new message, so that it does not count as taken before.
    pub(super) async fn put_back(mut self) {
        if self.handout != Handout::First {
            return self.give_back(None);
        }
        self.progress = Progress::Over;
        let delivery = Arc::clone(&self.delivery);
        // Two of the same subject cannot be there, so first the old one goes. If it ends in between, the driver
        // finds that the order is missing and offers it again.
        if delivery.is_ours()
            && !delivery.revoked.is_cancelled()
            && delivery.acknowledge().await.is_ok_and(|ended| ended)
            && !delivery.revoked.is_cancelled()
        {
            // It may come right back to us.
            delivery.held.remove(delivery.attempt, delivery.number);
            let message = PublishMessage::build().payload(self.payload());
            let message = message.headers(without_id(self.headers()));
            if let Err(error) = delivery.bus.publish(self.subject(), message).await {
                tracing::warn!(%error, work = ?delivery.attempt, "an order that nobody took is to be offered again");
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.progress == Progress::Came && self.handout == Handout::First {
            let unwanted = Self {
                delivery: Arc::clone(&self.delivery),
                message: self.message.clone(),
                renewing: self.renewing.clone(),
                handout: self.handout,
                // Where nothing can be done any more, nothing is tried again: the lease runs out.
                progress: Progress::Over,
            };
            return self.delivery.bus.spawn_until_closed(unwanted.put_back());
        }
        self.renewing.abort();
        self.delivery.held.remove(self.delivery.attempt, self.delivery.number);
        if self.progress != Progress::Over {
            self.give_back(None);
        }
    }
}

/// The headers of an order that is offered once more: with its id it would be taken for a duplicate.
fn without_id(headers: Option<&HeaderMap>) -> HeaderMap {
    let mut again = HeaderMap::new();
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        if *name != NATS_MESSAGE_ID {
            for value in values {
                again.append(name.clone(), value.clone());
            }
        }
    }
    again
}

impl Delivery {
    fn term(&self) -> MutexGuard<'_, Term> {
        // A term is one value.
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By our own clock, which goes on while the process stands still. A little before the server's: its time
    /// for a message began when it sent it.
    fn is_lost(&self) -> bool {
        let mut term = self.term();
        let over = match *term {
            Term::Over => true,
            Term::Runs(since) => since.elapsed() >= self.bus.options.ack_wait * 5 / 6,
        };
        if over {
            *term = Term::Over;
            self.revoked.cancel();
        }
        over
    }

    /// Whether what we say of it reaches the server and is not taken for another's: the lease stands, and so does
    /// its stream.
    fn is_ours(&self) -> bool {
        !self.is_lost() && !self.is_of_lost_stream() && self.bus.is_connected()
    }

    /// Ends the order. Returns whether it was still there, and ours.
    async fn acknowledge(&self) -> Result<bool, async_nats::Error> {
        // Looking takes its time, in which the lease may run out.
        if self.place.lies(&self.bus).await? != Lies::There || self.is_lost() {
            return Ok(false);
        }
        self.bus.ask(&self.reply, "+ACK", self.bus.options.request_timeout).await?;
        Ok(true)
    }

    /// The numbers of messages begin again in a new stream.
    fn is_of_lost_stream(&self) -> bool {
        self.bus.incarnation() != self.incarnation
    }

    async fn renew(self: Arc<Self>) {
        let third = self.bus.options.ack_wait / 3;
        let mut pause = third;
        loop {
            tokio::time::sleep(pause).await;
            if self.is_lost() {
                tracing::warn!(work = ?self.attempt, "a lease ran out: NATS could not be reached in time");
                return;
            }
            let sent = Instant::now();
            let renewed = self.bus.ask(&self.reply, "+WPI", third).await.is_ok();
            // Looked at before the term is set anew: what ran out meanwhile stays so.
            if renewed && !self.is_lost() {
                *self.term() = Term::Runs(sent);
                pause = third;
                if self.is_withdrawn().await {
                    self.revoked.cancel();
                    return;
                }
            } else {
                pause = AGAIN;
            }
        }
    }

    /// Whether the order was removed from the stream though the stream is the same: a revocation that we were
    /// not told of.
    async fn is_withdrawn(&self) -> bool {
        let missing = self.place.lies(&self.bus).await.is_ok_and(|lies| lies == Lies::Nothing);
        missing && self.bus.is_connected() && !self.is_of_lost_stream()
    }

    /// Acknowledges and waits for the answer; a second time if there was none.
    async fn settle(&self) {
        for _ in 0..2 {
            if self.is_lost() {
                return;
            }
            match self.acknowledge().await {
                Ok(_) => return,
                Err(error) => tracing::warn!(%error, work = ?self.attempt, "an order is not settled"),
            }
        }
    }
}

/// The server's count is not to be believed for what lay in the stream when the connection came up: a server that
/// was killed forgets what it gave out last.
fn handout(bus: &NatsBus, sequence: u64, delivered: i64) -> Handout {
    match delivered {
        2.. => Handout::Again,
        _ if bus.may_have_been_forgotten(sequence) => Handout::Unknown,
        _ => Handout::First,
    }
}

/// An order that was taken.
pub(super) struct NatsLease {
    pub(super) order: WorkOrder,
    pub(super) claim: Claim,
}

#[async_trait]
impl Lease for NatsLease {
    fn order(&self) -> &WorkOrder {
        &self.order
    }

    fn revoked(&self) -> CancellationToken {
        self.claim.delivery.revoked.clone()
    }

    fn is_lost(&self) -> bool {
        self.claim.delivery.is_lost()
    }

    fn handout(&self) -> Handout {
        self.claim.handout
    }

    async fn leave(mut self: Box<Self>) {
        self.claim.progress = Progress::Over;
    }

    async fn settle(mut self: Box<Self>) {
        self.claim.progress = Progress::Over;
        self.claim.delivery.settle().await;
    }
}
