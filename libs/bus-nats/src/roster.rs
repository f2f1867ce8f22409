//! Which executors there are: each tells of itself under `buildwright.roster.<name>`, outside JetStream, and
//! whoever wants to know listens. Whoever begins to listen calls the roll, and all answer with what they said
//! last. Leaving is an empty message.
//!
//! Anybody on the server can write there, so nothing here is trusted: what cannot be read, is too large, or names
//! another than its subject does is ignored, and so are more executors than there can be.

mod calling;
mod watching;

use crate::{NatsBus, connection::unavailable};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use calling::Said;
use ports::{BusError, ExecutorName, ExecutorStatus, Roster};
use std::{
    sync::{Arc, Once},
    time::Duration,
};
use watching::{List, Watch};

/// Asks all executors to tell of themselves.
const ROLL_CALL: &str = "buildwright.roll-call";
/// Where they do.
const ALL: &str = "buildwright.roster.*";

/// What the roster waits for and bears.
#[derive(Debug, Clone, Copy)]
pub struct RosterBounds {
    /// An executor that was not heard of for so long is not there.
    pub expiry: Duration,
    /// How long answers to a roll call are waited for.
    pub answers: Duration,
    /// Most executors; more are ignored.
    pub executors: usize,
    /// Most bytes that an executor says of itself; what is larger is ignored.
    pub bytes: usize,
}

impl Default for RosterBounds {
    fn default() -> Self {
        Self {
            expiry: Duration::from_secs(15),
            answers: Duration::from_millis(300),
            executors: 10_000,
            bytes: 256 << 10,
        }
    }
}

/// The list of executors on core NATS. Clones are the same list.
#[derive(Clone)]
pub struct NatsRoster {
    bus: NatsBus,
    bounds: RosterBounds,
    said: Arc<Said>,
    answering: Arc<Once>,
    watch: Arc<Watch>,
    watching: Arc<Once>,
}

impl NatsRoster {
    /// The executors of a bus.
    #[must_use]
    pub fn new(bus: &NatsBus, bounds: RosterBounds) -> Self {
        Self {
            bus: bus.clone(),
            bounds,
            said: Arc::default(),
            answering: Arc::new(Once::new()),
            watch: Arc::new(Watch::new(List::new(bounds))),
            watching: Arc::new(Once::new()),
        }
    }
}

#[async_trait]
impl Roster for NatsRoster {
    async fn announce(&self, status: &ExecutorStatus) {
        let body = match serde_json::to_vec(status) {
            Ok(body) => Bytes::from(body),
            Err(error) => return tracing::error!(%error, "what an executor says of itself cannot be written"),
        };
        let token = token(&status.name);
        self.said.put(token.clone(), body.clone());
        self.answering
            .call_once(|| self.bus.spawn(calling::answer(self.bus.clone(), Arc::clone(&self.said))));
        // Said while NATS is away it would arrive when it is long untrue; the next comes soon.
        if self.bus.is_connected() {
            self.bus.say(subject(&token).into(), body);
        }
    }

    async fn leave(&self, name: &ExecutorName) {
        let token = token(name);
        self.said.remove(&token);
        if self.bus.is_connected() {
            self.bus.say(subject(&token).into(), Bytes::new());
        }
    }

    async fn executors(&self) -> Result<Vec<ExecutorStatus>, BusError> {
        self.watching
            .call_once(|| self.bus.spawn(watching::watch(self.bus.clone(), Arc::clone(&self.watch))));
        let patience = self.bounds.answers + self.bus.options.request_timeout;
        let listed = tokio::select! {
            biased;
            () = self.bus.closed.cancelled() => return Err(BusError::Closed),
            listed = tokio::time::timeout(patience, self.watch.executors(&self.bus)) => listed,
        };
        listed.unwrap_or(None).ok_or_else(|| unavailable("NATS is not connected"))
    }
}

/// An executor's name as a token of a subject.
fn token(name: &ExecutorName) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=128).contains(&name.0.len()) && name.0.bytes().all(plain) {
        name.to_string()
    } else {
        format!("={}", URL_SAFE_NO_PAD.encode(name.0.as_bytes()))
    }
}

fn subject(token: &str) -> String {
    format!("buildwright.roster.{token}")
}
