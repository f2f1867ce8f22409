//! Takes from a consumer as much as is wanted, no more: a message that lies in a buffer of ours is one that
//! nobody works on while its time runs.
//!
//! The client library's own streams either take in advance or subscribe anew for every message, so this asks
//! the server itself, under one subscription.

use crate::{NatsBus, connection::Link};
use async_nats::{Message, StatusCode, Subject, Subscriber, jetstream::AckKind};
use futures::{FutureExt, StreamExt};
use ports::BusError;
use serde_json::json;
use std::time::Duration;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

/// How long the server keeps a request open.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often it says that it still does.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long what was given back at the end may take to come once more.
const CLOSING: Duration = Duration::from_millis(200);
/// How long to wait after the server refused.
const REFUSED: Duration = Duration::from_millis(100);

/// Messages of a durable consumer, on demand.
pub(crate) struct Pull {
    bus: NatsBus,
    subject: String,
    inbox: Subject,
    messages: Subscriber,
    link: watch::Receiver<Link>,
    /// How many messages the server still owes us.
    asked: usize,
    /// In which epoch it was asked.
    epoch: u64,
    /// When it must have said something.
    overdue: Instant,
}

/// What the server said.
pub(crate) enum Heard {
    Message(Message),
    /// It owes so many fewer, or nothing any more.
    Less(Option<usize>),
    Refusal,
    Alive,
}

impl Pull {
    pub(crate) async fn new(bus: &NatsBus, stream: &str, consumer: &str) -> Result<Self, BusError> {
        let inbox = Subject::from(bus.client.new_inbox());
        let messages = bus.client.subscribe(inbox.clone()).await.map_err(|_| BusError::Closed)?;
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}");
        let (link, overdue) = (bus.link(), Instant::now());
        Ok(Self { bus: bus.clone(), subject, inbox, messages, link, asked: 0, epoch: 0, overdue })
    }

    /// The next message, when `wanted` are. Can be dropped at any time; what was asked for then may still come,
    /// also when nothing is wanted any more, so call it again to take it or give it back.
    pub(crate) async fn next(&mut self, wanted: usize) -> Result<Message, BusError> {
        loop {
            let link = self.bus.connected().await?;
            if link.epoch != self.epoch {
                (self.asked, self.epoch) = (0, link.epoch);
            }
            if wanted > 0 && self.asked <= wanted / 2 {
                self.ask(wanted - self.asked).await?;
            }
            let heard = tokio::select! {
                biased;
                () = self.bus.closed.cancelled() => return Err(BusError::Closed),
                message = self.messages.next() => hear(message.ok_or(BusError::Closed)?),
                _ = self.link.changed() => continue,
                () = sleep_until(self.overdue), if self.asked > 0 => Heard::Refusal,
            };
            if let Some(message) = self.note(heard).await {
                return Ok(message);
            }
        }
    }

    /// Asks for nothing any more, and gives back what was on its way here: left to lie, it would be handed to
    /// others only after its time.
    ///
    /// What we give back ourselves may come here once more, as long as the server owes us something. So it is
    /// collected for a moment, and given back when the server knows that we are gone.
    pub(crate) async fn close(mut self) {
        let mut collected = Vec::new();
        let moment = Instant::now() + CLOSING;
        while self.asked > 0
            && self.bus.is_connected()
            && let Ok(Some(message)) = timeout_at(moment, self.messages.next()).await
        {
            match hear(message) {
                Heard::Message(message) => {
                    self.asked -= 1;
                    collected.push(message);
                }
                Heard::Less(less) => self.owe_less(less),
                Heard::Refusal => self.asked = 0,
                Heard::Alive => {}
            }
        }
        drop(self.messages);
        self.bus.round_trip().await;
        for reply in collected.into_iter().filter_map(|message| message.reply) {
            self.bus.say(reply, AckKind::Nak(None).into());
        }
    }

    /// A message that has come already.
    pub(crate) fn at_hand(&mut self) -> Option<Message> {
        while let Some(Some(message)) = self.messages.next().now_or_never() {
            match hear(message) {
                Heard::Message(message) => {
                    self.asked = self.asked.saturating_sub(1);
                    return Some(message);
                }
                Heard::Less(less) => self.owe_less(less),
                Heard::Refusal => self.asked = 0,
                Heard::Alive => {}
            }
        }
        None
    }

    async fn ask(&mut self, more: usize) -> Result<(), BusError> {
        let request = json!({
            "batch": more,
            "expires": nanos(EXPIRES),
            "idle_heartbeat": nanos(HEARTBEAT),
        });
        let (subject, inbox) = (self.subject.clone(), self.inbox.clone());
        let sent = self.bus.client.publish_with_reply(subject, inbox, request.to_string().into()).await;
        sent.map_err(|_| BusError::Closed)?;
        self.asked += more;
        self.overdue = Instant::now() + 2 * HEARTBEAT;
        Ok(())
    }

    async fn note(&mut self, heard: Heard) -> Option<Message> {
        self.overdue = Instant::now() + 2 * HEARTBEAT;
        match heard {
            Heard::Message(message) => {
                self.asked = self.asked.saturating_sub(1);
                return Some(message);
            }
            Heard::Alive => {}
            Heard::Less(less) => self.owe_less(less),
            // The consumer is gone, or its server is.
            Heard::Refusal => {
                self.asked = 0;
                self.bus.see_to_topology(false).await;
                tokio::time::sleep(REFUSED).await;
            }
        }
        None
    }

    fn owe_less(&mut self, less: Option<usize>) {
        self.asked = less.map_or(0, |less| self.asked.saturating_sub(less));
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn hear(message: Message) -> Heard {
    match message.status {
        None | Some(StatusCode::OK) => Heard::Message(message),
        Some(StatusCode::IDLE_HEARTBEAT) => Heard::Alive,
        // Expired, or ended early: with how many are not coming.
        Some(StatusCode::TIMEOUT | StatusCode::REQUEST_TERMINATED) => {
            let pending = message.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
            match pending.and_then(|count| count.as_str().parse().ok()) {
                None if message.status == Some(StatusCode::REQUEST_TERMINATED) => Heard::Refusal,
                less => Heard::Less(less),
            }
        }
        // One that would not wait was asked for.
        Some(StatusCode::NOT_FOUND) => Heard::Less(Some(1)),
        Some(_) => Heard::Refusal,
    }
}
