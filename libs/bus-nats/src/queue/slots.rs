//! Free slots, and at which lane each of them waits: the server is never asked for more orders than there are
//! slots.
//!
//! With one lane, all wait there for as long as it takes. With several, a slot that waits at one lane is not
//! free for the others, so each request ends after a while and the slots are shared out anew: one to every lane
//! in turn, the rest to where more orders are known to wait. While they do somewhere, the other lanes are only
//! glanced at, now and then.
//!
//! A request is never called off, not even when fewer slots are free than when it was made: an order that is on
//! its way at that moment would be nobody's until its time is over. It comes here, and is put back.

mod sharing;

use crate::{
    NatsBus,
    connection::Link,
    lane::Lane,
    pull::{HEARTBEAT, Heard, hear, nanos},
};
use async_nats::{Message, Subject, Subscriber, jetstream};
use futures::StreamExt;
use ports::BusError;
use serde_json::json;
use sharing::{Manner, Sharing};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout_at},
};

/// How long the server keeps a request open where there is one lane.
const EXPIRES: Duration = Duration::from_secs(30);
/// How long it may be silent after a request should have ended.
const SILENCE: Duration = Duration::from_secs(5);
/// How long what was given back at the end may take to come once more.
const CLOSING: Duration = Duration::from_millis(200);
/// How long what is on its way here may take after that.
const ON_ITS_WAY: Duration = Duration::from_secs(1);
/// How long to wait after the server refused.
const REFUSED: Duration = Duration::from_millis(100);

pub(super) struct Slots {
    bus: NatsBus,
    inbox: Subject,
    messages: Subscriber,
    link: watch::Receiver<Link>,
    /// In which epoch the server was asked.
    epoch: u64,
    sharing: Sharing,
    /// Lanes that may be new.
    found: mpsc::UnboundedReceiver<Lane>,
}

impl Slots {
    pub(super) async fn open(bus: &NatsBus, found: mpsc::UnboundedReceiver<Lane>) -> Result<Self, BusError> {
        let inbox = bus.client.new_inbox();
        let messages = bus.client.subscribe(format!("{inbox}.*")).await.map_err(|_| BusError::Closed)?;
        let options = &bus.options;
        let sharing = Sharing::new(if options.labels.is_empty() { None } else { Some(options.lane_turn) });
        Ok(Self {
            bus: bus.clone(),
            inbox: inbox.into(),
            messages,
            link: bus.link(),
            epoch: 0,
            sharing,
            found,
        })
    }

    /// The next order, when `wanted` are. Can be dropped at any time; what was asked for then may still come, also
    /// when nothing is wanted any more.
    pub(super) async fn next(&mut self, wanted: usize) -> Result<Message, BusError> {
        loop {
            let link = self.bus.connected().await?;
            if link.epoch != self.epoch {
                self.sharing.owe_nothing();
                self.epoch = link.epoch;
            }
            self.ask(wanted).await?;
            let overdue = self.sharing.overdue();
            let heard = tokio::select! {
                biased;
                () = self.bus.closed.cancelled() => return Err(BusError::Closed),
                message = self.messages.next() => message.ok_or(BusError::Closed)?,
                _ = self.link.changed() => continue,
                Some(lane) = self.found.recv() => {
                    self.sharing.add(lane);
                    continue;
                }
                () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {
                    self.refused(None).await;
                    continue;
                }
            };
            if let Some(message) = self.note(heard).await {
                return Ok(message);
            }
        }
    }

    /// Asks for nothing any more. What was on its way here comes back.
    ///
    /// What we give back ourselves may come here once more, as long as the server owes us something. So it is
    /// waited for a moment before the server learns that we are gone.
    pub(super) async fn close(mut self) -> Vec<Message> {
        self.bus.all_said().await;
        self.bus.round_trip().await;
        let mut came = Vec::new();
        let moment = Instant::now() + CLOSING;
        while self.sharing.asked() > 0
            && self.bus.is_connected()
            && let Ok(Some(message)) = timeout_at(moment, self.messages.next()).await
        {
            came.extend(self.note(message).await);
        }
        if self.bus.is_connected() && self.messages.drain().await.is_ok() {
            let until = Instant::now() + ON_ITS_WAY;
            while let Ok(Some(message)) = timeout_at(until, self.messages.next()).await {
                if let Heard::Message(message) = hear(message) {
                    came.push(message);
                }
            }
        }
        came
    }

    async fn ask(&mut self, wanted: usize) -> Result<(), BusError> {
        for ask in self.sharing.share(wanted, Instant::now()) {
            let (request, patience) = match ask.manner {
                Manner::Long => (
                    json!({"batch": ask.count, "expires": nanos(EXPIRES), "idle_heartbeat": nanos(HEARTBEAT)}),
                    2 * HEARTBEAT,
                ),
                Manner::Turn(turn) => (json!({"batch": ask.count, "expires": nanos(turn)}), turn + SILENCE),
                Manner::Glance => (json!({"batch": ask.count, "no_wait": true}), SILENCE),
            };
            let consumer = ask.lane.consumer();
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{consumer}", self.bus.tasks);
            let inbox = format!("{}.{}", self.inbox, ask.lane);
            // Owed from here on: if this is dropped it may have been sent.
            self.sharing.asked_for(&ask, Instant::now() + patience);
            let sent = self.bus.client.publish_with_reply(subject, inbox, request.to_string().into()).await;
            sent.map_err(|_| BusError::Closed)?;
        }
        Ok(())
    }

    /// What a message means: an order, or how many are not coming.
    async fn note(&mut self, message: Message) -> Option<Message> {
        // An order has the subject it was offered under, anything else that of the inbox.
        let place = if message.status.is_none() { message.subject.split('.').nth(3) } else { None };
        let lane = place.or_else(|| message.subject.rsplit('.').next()).unwrap_or_default().to_owned();
        match hear(message) {
            Heard::Message(message) => {
                let wait = pending(&self.bus, &message);
                self.sharing.came(&lane, wait > 0);
                return Some(message);
            }
            Heard::Alive => self.sharing.alive(&lane, Instant::now() + 2 * HEARTBEAT),
            Heard::Less(less) => self.sharing.less(&lane, less, Instant::now()),
            Heard::Refusal => self.refused(Some(&lane)).await,
        }
        None
    }

    /// A consumer is gone, or its server is.
    async fn refused(&mut self, lane: Option<&str>) {
        if self.sharing.refused(lane, Instant::now()) && !self.bus.closed.is_cancelled() {
            self.bus.see_to_topology(false).await;
            tokio::time::sleep(REFUSED).await;
        }
    }
}

/// How many orders wait behind this one.
fn pending(bus: &NatsBus, message: &Message) -> u64 {
    let message = jetstream::Message { message: message.clone(), context: bus.jetstream.clone() };
    message.info().map_or(0, |info| info.pending)
}
