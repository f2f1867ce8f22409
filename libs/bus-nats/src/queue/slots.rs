//! Free slots, and at which lane each of them waits: the server never owes us more orders than there are slots,
//! since one that comes in vain has been given out for nothing.
//!
//! With one lane, all wait there for as long as it takes. With several, a slot that waits at one lane is not
//! free for the others, so each request ends after a while and the slots are shared out anew: one to every lane
//! in turn, the rest to where more orders are known to wait. While they do somewhere, the other lanes are only
//! glanced at, now and then.

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
/// How long more may be asked for than is wanted: whoever stopped waiting often waits again at once.
const SURPLUS: Duration = Duration::from_millis(100);
/// How long what was on its way here when we left may take.
const ON_ITS_WAY: Duration = Duration::from_secs(1);
/// How long to wait after the server refused.
const REFUSED: Duration = Duration::from_millis(100);

pub(super) struct Slots {
    bus: NatsBus,
    inbox: Subject,
    messages: Subscriber,
    /// Where we do not listen any more, but for what was on its way.
    left: Option<Left>,
    link: watch::Receiver<Link>,
    /// In which epoch the server was asked.
    epoch: u64,
    sharing: Sharing,
    /// Lanes that may be new.
    found: mpsc::UnboundedReceiver<Lane>,
    surplus_since: Option<Instant>,
}

struct Left {
    messages: Subscriber,
    told: bool,
    until: Instant,
}

impl Slots {
    pub(super) async fn open(bus: &NatsBus, found: mpsc::UnboundedReceiver<Lane>) -> Result<Self, BusError> {
        let (inbox, messages) = listen(bus).await?;
        Ok(Self {
            bus: bus.clone(),
            inbox,
            messages,
            left: None,
            link: bus.link(),
            epoch: 0,
            sharing: Sharing::new(bus.options.lane_turn),
            found,
            surplus_since: None,
        })
    }

    /// The next order, when `wanted` are. Can be dropped at any time; what was asked for then may still come for
    /// a moment, also when nothing is wanted any more.
    pub(super) async fn next(&mut self, wanted: usize) -> Result<Message, BusError> {
        loop {
            if self.bus.connected().await?.epoch != self.epoch {
                self.leave().await?;
                self.epoch = self.link.borrow_and_update().epoch;
            }
            if let Some(message) = self.on_its_way().await {
                return Ok(message);
            }
            let surplus = self.surplus(wanted);
            if surplus.is_none() {
                self.ask(wanted).await?;
            }
            let overdue = self.sharing.overdue();
            let heard = tokio::select! {
                biased;
                () = self.bus.closed.cancelled() => return Err(BusError::Closed),
                message = self.messages.next() => message.ok_or(BusError::Closed)?,
                _ = self.link.changed() => continue,
                Some(lane) = self.found.recv() => {
                    if self.sharing.add(lane) && self.sharing.asked() > 0 {
                        self.leave().await?;
                    }
                    continue;
                }
                () = sleep_until(surplus.unwrap_or_else(Instant::now)), if surplus.is_some() => {
                    self.leave().await?;
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
    pub(super) async fn close(mut self) -> Vec<Message> {
        let mut came = Vec::new();
        if self.bus.is_connected() && self.messages.drain().await.is_ok() {
            let until = Instant::now() + ON_ITS_WAY;
            for messages in self.left.iter_mut().map(|left| &mut left.messages).chain([&mut self.messages]) {
                while let Ok(Some(message)) = timeout_at(until, messages.next()).await {
                    if let Heard::Message(message) = hear(message) {
                        came.push(message);
                    }
                }
            }
        }
        came
    }

    /// Until when more may be asked for than is wanted, if more is.
    fn surplus(&mut self, wanted: usize) -> Option<Instant> {
        if self.sharing.asked() <= wanted {
            self.surplus_since = None;
            return None;
        }
        Some(*self.surplus_since.get_or_insert_with(Instant::now) + SURPLUS)
    }

    /// Listens elsewhere: whatever the server was asked for ends.
    async fn leave(&mut self) -> Result<(), BusError> {
        if self.left.is_some() {
            return Ok(());
        }
        let (inbox, messages) = listen(&self.bus).await?;
        let messages = std::mem::replace(&mut self.messages, messages);
        self.inbox = inbox;
        self.left = Some(Left { messages, told: false, until: Instant::now() + ON_ITS_WAY });
        Ok(())
    }

    /// What was on its way when we left; after it, the server owes nothing.
    async fn on_its_way(&mut self) -> Option<Message> {
        while let Some(left) = &mut self.left {
            if !left.told {
                let _ = left.messages.drain().await;
                left.told = true;
            }
            match timeout_at(left.until, left.messages.next()).await {
                Ok(Some(message)) => {
                    if let Heard::Message(message) = hear(message) {
                        return Some(message);
                    }
                }
                Ok(None) | Err(_) => {
                    self.left = None;
                    self.surplus_since = None;
                    self.sharing.owe_nothing();
                }
            }
        }
        None
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
        if self.sharing.refused(lane, Instant::now()) {
            self.bus.see_to_topology(false).await;
            tokio::time::sleep(REFUSED).await;
        }
    }
}

/// A new place to listen at: the name begins the subjects of answers.
async fn listen(bus: &NatsBus) -> Result<(Subject, Subscriber), BusError> {
    let inbox = bus.client.new_inbox();
    let messages = bus.client.subscribe(format!("{inbox}.*")).await.map_err(|_| BusError::Closed)?;
    Ok((inbox.into(), messages))
}

/// How many orders wait behind this one.
fn pending(bus: &NatsBus, message: &Message) -> u64 {
    let message = jetstream::Message { message: message.clone(), context: bus.jetstream.clone() };
    message.info().map_or(0, |info| info.pending)
}
