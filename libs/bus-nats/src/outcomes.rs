//! Reports of executors.
//!
//! A report is published without a message id: the driver's decisions are the same for one that comes twice, and
//! an id would outlive the confirmation, so that a report made again because its confirmation got lost would be
//! dropped without an answer.

mod inbox;
mod poison;

use crate::{
    NatsBus,
    body::Bodies,
    connection::unavailable,
    pull::Pull,
    subjects::{self, DRIVER, OUTCOMES},
    topology::REPORT_WAIT,
    trace,
};
use async_nats::{
    HeaderMap, Message, Subject,
    jetstream::{AckKind, context::PublishErrorKind, message::PublishMessage},
};
use async_trait::async_trait;
use bytes::Bytes;
use inbox::Inbox;
use ports::{
    Answer, ArtifactError, ArtifactStore, BusError, Confirmation, OutcomeBus, OutcomeReport, Receipt,
    Received, WireError,
};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

/// Where whoever reported wants to hear that it is confirmed.
const CONFIRM_TO: &str = "Buildwright-Confirm-To";
/// What is said there of a report that changed nothing because it was refused.
pub(super) const REFUSED: &[u8] = b"refused";
/// How long to wait before trying again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a report that this driver cannot read waits before another may try.
const UNREADABLE: Duration = Duration::from_secs(5);

/// Reports on JetStream, for the executors that make them and the drivers that take them. Clones are the same.
///
/// Whoever takes reports also turns orders that were handed out too often into reports of failure.
#[derive(Clone)]
pub struct NatsOutcomes {
    bus: NatsBus,
    bodies: Bodies,
    inbox: Arc<OnceCell<Inbox>>,
    pull: Arc<AsyncMutex<Option<Pull>>>,
    unconfirmed: Arc<Unconfirmed>,
}

/// Reports that the driver has and did not confirm yet, to be renewed: where they are acknowledged.
#[derive(Default)]
struct Unconfirmed(Mutex<HashSet<String>>);

impl Unconfirmed {
    fn replies(&self) -> MutexGuard<'_, HashSet<String>> {
        // Nothing between two changes can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NatsOutcomes {
    /// Large reports go through `artifacts`, which executors must share with the driver.
    #[must_use]
    pub fn new(bus: &NatsBus, artifacts: Arc<dyn ArtifactStore>) -> Self {
        Self {
            bus: bus.clone(),
            bodies: Bodies(artifacts),
            inbox: Arc::default(),
            pull: Arc::default(),
            unconfirmed: Arc::default(),
        }
    }

    /// Starts what a driver needs beside its reports.
    async fn start_driving(&self) -> Result<Pull, BusError> {
        let pull = Pull::new(&self.bus, OUTCOMES, DRIVER).await?;
        self.bus.spawn(renew(self.bus.clone(), Arc::clone(&self.unconfirmed)));
        let (closed, reports) = (self.bus.closed.clone(), Arc::clone(&self.pull));
        self.bus.spawn_until_closed(async move {
            closed.cancelled().await;
            // Whoever waits for reports ends with the bus, and lets go of this.
            if let Some(pull) = reports.lock().await.take() {
                pull.close().await;
            }
        });
        poison::start(self.clone());
        Ok(pull)
    }

    /// What a message reports. One that cannot be read is kept for a driver that can, or dropped if there is
    /// none.
    async fn receive(&self, message: Message) -> Option<Received> {
        let receipt = NatsReceipt::new(self, &message)?;
        match self.read(&message).await {
            Ok(report) => Some(Received { report, receipt: Box::new(receipt) }),
            Err(unreadable) => {
                tracing::error!(subject = %message.subject, error = %unreadable.error, "a report cannot be read");
                receipt.end(if unreadable.for_ever { AckKind::Term } else { AckKind::Nak(Some(UNREADABLE)) });
                None
            }
        }
    }

    async fn read(&self, message: &Message) -> Result<OutcomeReport, Unreadable> {
        let body = self.bodies.unpack(message.headers.as_ref(), message.payload.clone()).await;
        let body = body.map_err(|error| Unreadable {
            for_ever: matches!(error, ArtifactError::NotFound(_) | ArtifactError::BadKey(_)),
            error: error.into(),
        })?;
        OutcomeReport::decode(&body).map_err(|error| Unreadable {
            for_ever: matches!(error, WireError::Malformed(_)),
            error: error.into(),
        })
    }
}

struct Unreadable {
    for_ever: bool,
    error: Box<dyn std::error::Error + Send + Sync>,
}

#[async_trait]
impl OutcomeBus for NatsOutcomes {
    async fn report(&self, report: OutcomeReport) -> Result<Confirmation, BusError> {
        let (build, work, attempt) = report.about();
        let body = report.encode().map_err(unavailable)?;
        let inbox = self.inbox.get_or_try_init(|| Inbox::open(&self.bus)).await?;
        let (confirm_to, confirmation) = inbox.expect();
        loop {
            self.bus.connected().await?;
            let packed = match self.bodies.pack(build, body.clone()).await {
                Err(BusError::Unavailable(error)) => {
                    tracing::warn!(%error, build.id = %build, "a report waits for the artifact store");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                packed => packed?,
            };
            let (mut headers, payload): (HeaderMap, Bytes) = packed;
            headers.insert(CONFIRM_TO, confirm_to.as_str());
            trace::join_attempt(&mut headers, build, work, attempt);
            let message = PublishMessage::build().headers(headers).payload(payload);
            match self.bus.publish(&subjects::outcome(build), message).await {
                Ok(_) => return Ok(confirmation),
                Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    return Err(unavailable(error));
                }
                Err(error) => tracing::warn!(%error, build.id = %build, "a report waits for NATS"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn reports(&self, limit: usize) -> Result<Vec<Received>, BusError> {
        let limit = limit.max(1);
        let mut pull = self.pull.lock().await;
        if pull.is_none() {
            *pull = Some(self.start_driving().await?);
        }
        let Some(pull) = pull.as_mut() else { return Err(BusError::Closed) };
        let mut reports = Vec::new();
        while reports.is_empty() {
            let mut message = Some(pull.next(limit).await?);
            while let Some(next) = message {
                reports.extend(self.receive(next).await);
                message = if reports.len() < limit { pull.at_hand() } else { None };
            }
        }
        Ok(reports)
    }
}

/// Sends a sign of life for what the driver is at: the event store may be away for longer than reports wait.
async fn renew(bus: NatsBus, unconfirmed: Arc<Unconfirmed>) {
    loop {
        tokio::select! {
            () = bus.closed.cancelled() => return,
            () = tokio::time::sleep(REPORT_WAIT / 3) => {}
        }
        let replies: Vec<String> = unconfirmed.replies().iter().cloned().collect();
        for reply in replies {
            // If it does not arrive, the report comes again.
            let _ = bus.client.publish(reply, AckKind::Progress.into()).await;
        }
    }
}

struct NatsReceipt {
    bus: NatsBus,
    unconfirmed: Arc<Unconfirmed>,
    reply: Subject,
    confirm_to: Option<String>,
    ended: bool,
}

impl NatsReceipt {
    fn new(outcomes: &NatsOutcomes, message: &Message) -> Option<Self> {
        let reply = message.reply.clone()?;
        outcomes.unconfirmed.replies().insert(reply.to_string());
        let confirm_to = message.headers.as_ref().and_then(|headers| headers.get(CONFIRM_TO));
        Some(Self {
            bus: outcomes.bus.clone(),
            unconfirmed: Arc::clone(&outcomes.unconfirmed),
            reply,
            confirm_to: confirm_to.map(ToString::to_string),
            ended: false,
        })
    }

    fn end(mut self, how: AckKind) {
        self.say(how);
    }

    fn say(&mut self, how: AckKind) {
        self.ended = true;
        self.bus.say(self.reply.clone(), how.into());
    }
}

impl Drop for NatsReceipt {
    fn drop(&mut self) {
        self.unconfirmed.replies().remove(self.reply.as_str());
        if !self.ended {
            self.say(AckKind::Nak(None));
        }
    }
}

#[async_trait]
impl Receipt for NatsReceipt {
    async fn confirm(mut self: Box<Self>, answer: Answer) {
        self.ended = true;
        if let Err(error) = self.bus.ask(&self.reply, "+ACK", self.bus.options.request_timeout).await {
            tracing::debug!(%error, "a confirmed report may come again");
        }
        if let Some(confirm_to) = self.confirm_to.take() {
            // If it does not arrive, the executor reports again.
            let said = match answer {
                Answer::Accepted => Bytes::new(),
                Answer::Refused => Bytes::from_static(REFUSED),
            };
            let _ = self.bus.client.publish(confirm_to, said).await;
        }
    }
}
