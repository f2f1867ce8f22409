//! One connection to NATS: it comes back by itself, with everything it needs there, and is drained at the end.

use crate::{NatsOptions, artifacts::BucketsMade, lane::Lane, subjects, topology};
use async_nats::{
    Client, ConnectOptions, Event, Subject,
    jetstream::{
        self,
        context::{ContextBuilder, PublishError, PublishErrorKind},
        message::{PublishMessage, StreamMessage},
        publish::PublishAck,
        stream::{DirectGetError, DirectGetErrorKind, LastRawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use futures::StreamExt;
use names::PoolName;
use ports::BusError;
use std::{
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Most publishes whose acknowledgement is awaited at the same time.
const UNDER_WAY: usize = 4_096;
/// How long after streams and consumers were last seen to they are not looked at again.
const SEEN_TO: Duration = Duration::from_millis(250);
/// How long what is left to say at the end may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The credentials cannot be read.
    #[error("the NATS credentials cannot be read: {0}")]
    Credentials(#[source] std::io::Error),
    /// An address is none, or a certificate cannot be used.
    #[error("cannot connect to NATS: {0}")]
    Connect(#[from] async_nats::ConnectError),
    /// Leases would be lost before they can be renewed.
    #[error("ack_wait must be at least 1 s")]
    AckWait,
}

/// Whether the server can be spoken to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) up: bool,
    /// How often it came up: what was asked of the server before has been forgotten by it.
    pub(crate) epoch: u64,
}

/// What lay in the stream of orders when the connection came up.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// For which time; 0 for none.
    epoch: u64,
    /// The number of the last message.
    last: u64,
}

/// A connection to NATS. Clones are the same connection.
#[derive(Clone)]
pub struct NatsBus {
    inner: Arc<Inner>,
}

/// What clones of a connection share; nothing of it is for users.
pub struct Inner {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) options: NatsOptions,
    pub(crate) closed: CancellationToken,
    /// The stream of our pool's orders.
    pub(crate) tasks: String,
    link: watch::Receiver<Link>,
    /// When streams and consumers were last seen to, and in which epoch.
    seen_to: Mutex<Option<(Instant, u64)>>,
    /// When the stream of orders was made, in nanoseconds: another time means another stream, whose sequence
    /// numbers mean other messages.
    incarnation: AtomicI64,
    /// What lay in the stream of orders when the connection came up.
    known: StdMutex<Known>,
    /// When the buckets of artifacts were made, as last seen.
    buckets: watch::Sender<Option<BucketsMade>>,
    words: mpsc::UnboundedSender<Word>,
    /// What gives back messages that nobody will take any more.
    closing: TaskTracker,
    /// For what is said from where nothing can be awaited.
    runtime: Handle,
}

impl std::ops::Deref for NatsBus {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl std::fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsBus").field("link", &*self.link.borrow()).finish_non_exhaustive()
    }
}

impl NatsBus {
    /// Connects, waiting for the server as long as it takes, and sees to it that streams and consumers are
    /// there. Whoever wants a bound puts a timeout around it.
    ///
    /// # Errors
    /// If the options cannot be right.
    pub async fn connect(options: NatsOptions) -> Result<Self, ConnectError> {
        if options.ack_wait < Duration::from_secs(1) {
            return Err(ConnectError::AckWait);
        }
        let (link, linked) = watch::channel(Link::default());
        let closed = CancellationToken::new();
        // The library's future is large, and would make every caller's so.
        let client = Box::pin(connect(&options, link, closed.clone())).await?;
        let jetstream = ContextBuilder::new()
            .timeout(options.request_timeout)
            .max_ack_inflight(UNDER_WAY)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let words = speak(client.clone());
        let inner = Inner {
            client,
            jetstream,
            tasks: subjects::tasks(&options.pool),
            options,
            closed,
            link: linked,
            seen_to: Mutex::default(),
            incarnation: AtomicI64::new(0),
            known: StdMutex::default(),
            buckets: watch::Sender::new(None),
            words,
            closing: TaskTracker::new(),
            runtime: Handle::current(),
        };
        let bus = Self { inner: Arc::new(inner) };
        // What is seen before the connection counts as up would not be taken for what lay there at its beginning.
        let _ = bus.connected().await;
        while !bus.see_to_topology(true).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tokio::spawn(bus.clone().keep_topology());
        Ok(bus)
    }

    /// Whether the server can be spoken to now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.borrow().up
    }

    /// Gives out and takes nothing any more, says what is left to say (orders given back, last reports) and
    /// closes the connection.
    pub async fn close(&self) {
        self.closed.cancel();
        self.closing.close();
        let last_words = async {
            self.closing.wait().await;
            self.all_said().await;
            self.round_trip().await;
            if let Err(error) = self.client.drain().await {
                tracing::debug!(%error, "the connection to NATS was closed already");
            }
            let mut link = self.link.clone();
            // The sender goes when the client has closed.
            while link.changed().await.is_ok() && link.borrow().up {}
        };
        if timeout(LAST_WORDS, last_words).await.is_err() {
            tracing::warn!("NATS was left without all being said");
        }
    }

    /// Waits until everything is said that is to be.
    pub(crate) async fn all_said(&self) {
        let (said, all_said) = oneshot::channel();
        let _ = self.words.send(Word::Mark(said));
        let _ = all_said.await;
    }

    /// Waits until the server has seen everything that was sent before.
    pub(crate) async fn round_trip(&self) {
        if !self.is_connected() {
            return;
        }
        let inbox = self.client.new_inbox();
        if let Ok(mut echo) = self.client.subscribe(inbox.clone()).await
            && self.client.publish(inbox, Bytes::new()).await.is_ok()
        {
            let _ = timeout(self.options.request_timeout, echo.next()).await;
        }
    }

    /// Says something without waiting for it: in the order of these calls, and before the bus is closed. It may
    /// not arrive.
    pub(crate) fn say(&self, subject: Subject, payload: Bytes) {
        let _ = self.words.send(Word::Say(subject, payload));
    }

    /// Does something that ends by itself when the bus is closed, and whose end is then waited for.
    pub(crate) fn spawn_until_closed(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.closing.spawn_on(work, &self.runtime);
    }

    /// Does something that ends by itself when the bus is closed.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }

    pub(crate) fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Waits until the server can be spoken to; `Closed` if that will not be.
    pub(crate) async fn connected(&self) -> Result<Link, BusError> {
        let mut link = self.link();
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(BusError::Closed),
            up = link.wait_for(|link| link.up) => up.map(|link| *link).map_err(|_| BusError::Closed),
        }
    }

    /// A stream by its name, without asking the server.
    pub(crate) async fn stream(&self, name: &str) -> Result<Stream<()>, async_nats::Error> {
        Ok(self.jetstream.get_stream_no_info(name).await?)
    }

    /// The first message of a subject from a number on.
    pub(crate) async fn message_from(
        &self,
        stream: &str,
        subject: &str,
        sequence: u64,
    ) -> Result<Option<StreamMessage>, async_nats::Error> {
        let get = async || {
            let stream = self.stream(stream).await?;
            found(stream.direct_get_next_for_subject(subject, Some(sequence)).await)
        };
        match get().await {
            Err(error) => {
                self.see_to_after(&error).await?;
                get().await
            }
            found => found,
        }
    }

    /// The last message of a subject, asking the leader: other replicas may not have it yet.
    pub(crate) async fn last_message(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<StreamMessage>, async_nats::Error> {
        let get = async || match self.stream(stream).await?.get_last_raw_message_by_subject(subject).await {
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            other => Ok(Some(other?)),
        };
        match get().await {
            Err(error) => {
                self.see_to_after(&error).await?;
                get().await
            }
            found => found,
        }
    }

    /// After a failure though the server is there: its stream may be gone.
    async fn see_to_after(&self, error: &async_nats::Error) -> Result<(), BusError> {
        if !self.is_connected() {
            return Err(unavailable("NATS is not connected"));
        }
        tracing::debug!(%error, "streams are looked at");
        self.see_to_topology(false).await;
        Ok(())
    }

    /// Removes all messages of a subject, which may hold wildcards, from a stream.
    pub(crate) async fn purge(&self, stream: &str, subject: String) -> Result<(), async_nats::Error> {
        self.stream(stream).await?.purge().filter(subject).await?;
        Ok(())
    }

    /// Whether the server may not know any more that it gave out an order of our pool: it lay there when the
    /// connection came up.
    pub(crate) fn may_have_been_forgotten(&self, sequence: u64) -> bool {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.epoch != self.link.borrow().epoch || sequence <= known.last
    }

    /// Changes when the buckets of artifacts have been seen to be made anew.
    pub(crate) fn buckets(&self) -> watch::Receiver<Option<BucketsMade>> {
        self.buckets.subscribe()
    }

    /// When a stream was made, as the server says now.
    pub(crate) async fn made(&self, stream: &str) -> Result<i64, async_nats::Error> {
        let ask = async || topology::made(self.jetstream.get_stream(stream).await?.cached_info());
        match ask().await {
            Err(error) => {
                self.see_to_after(&error).await?;
                ask().await
            }
            made => made,
        }
    }

    pub(crate) fn incarnation(&self) -> i64 {
        self.incarnation.load(Ordering::Acquire)
    }

    /// Publishes to a stream and waits until it is stored. If the stream is gone it is made again.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAck, PublishError> {
        let again = message.clone();
        match self.publish_once(subject, message).await {
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                self.see_to_topology(false).await;
                self.publish_once(subject, again).await
            }
            other => other,
        }
    }

    pub(crate) async fn publish_once(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<PublishAck, PublishError> {
        self.jetstream.send_publish(subject.to_owned(), message).await?.await
    }

    /// Asks the server something under a subject, such as one that a message is acknowledged at, and waits for
    /// the answer.
    pub(crate) async fn ask(
        &self,
        subject: &str,
        payload: &'static str,
        patience: Duration,
    ) -> Result<(), async_nats::Error> {
        let request = async_nats::Request::new()
            .payload(Bytes::from_static(payload.as_bytes()))
            .timeout(Some(patience));
        self.client.send_request(subject.to_owned(), request).await?;
        Ok(())
    }

    /// Makes streams and consumers that are not there. Returns whether all are; cheap if that was just seen.
    /// After the bus is closed nothing is made any more.
    pub(crate) async fn see_to_topology(&self, update: bool) -> bool {
        let mut seen_to = self.seen_to.lock().await;
        if self.closed.is_cancelled() {
            return false;
        }
        let epoch = self.link.borrow().epoch;
        if seen_to.is_some_and(|(at, seen)| seen == epoch && at.elapsed() < SEEN_TO) {
            return true;
        }
        match Box::pin(topology::see_to(&self.jetstream, &self.options, update)).await {
            Ok(made) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.epoch != epoch {
                    *known = Known { epoch, last: made.last_order };
                }
                drop(known);
                let before = self.incarnation.swap(made.tasks, Ordering::AcqRel);
                self.buckets.send_replace(Some(made.buckets));
                if before != 0 && before != made.tasks {
                    tracing::warn!("JetStream lost its data: streams and consumers were made again");
                }
                *seen_to = Some((Instant::now(), epoch));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "streams and consumers cannot be seen to");
                false
            }
        }
    }

    /// Makes what orders of a pool's lane need.
    pub(crate) async fn see_to_lane(&self, pool: &PoolName, lane: &Lane) -> Result<(), BusError> {
        let _one_at_a_time = self.seen_to.lock().await;
        if self.closed.is_cancelled() {
            return Err(BusError::Closed);
        }
        Box::pin(topology::see_to_lane(&self.jetstream, &self.options, pool, lane)).await.map_err(unavailable)
    }

    /// Closes the bus for all but its last words. Streams and consumers that are being made are there when this
    /// returns; no more are made.
    pub(crate) async fn make_no_more(&self) {
        self.closed.cancel();
        drop(self.seen_to.lock().await);
    }

    /// After every reconnection: the server may have come back with nothing.
    async fn keep_topology(self) {
        let mut link = self.link();
        link.borrow_and_update();
        loop {
            tokio::select! {
                () = self.closed.cancelled() => return,
                changed = link.changed() => if changed.is_err() { return },
            }
            while link.borrow_and_update().up && !self.see_to_topology(false).await {
                tokio::select! {
                    () = self.closed.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        }
    }
}

/// What is said without being awaited.
enum Word {
    Say(Subject, Bytes),
    /// Everything before it has been said.
    Mark(oneshot::Sender<()>),
}

fn speak(client: Client) -> mpsc::UnboundedSender<Word> {
    let (words, mut said) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(word) = said.recv().await {
            match word {
                Word::Say(subject, payload) => {
                    let _ = client.publish(subject, payload).await;
                }
                Word::Mark(mark) => {
                    let _ = mark.send(());
                }
            }
        }
    });
    words
}

pub(crate) async fn connect(
    options: &NatsOptions,
    link: watch::Sender<Link>,
    closed: CancellationToken,
) -> Result<Client, ConnectError> {
    let mut connect = ConnectOptions::new()
        .name(&options.name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .ping_interval(Duration::from_secs(10))
        .request_timeout(Some(options.request_timeout))
        .reconnect_delay_callback(|failures| Duration::from_millis((50 << failures.min(6)).min(2_000)))
        .require_tls(options.tls.required)
        .event_callback(move |event| {
            follow(&event, &link, &closed);
            std::future::ready(())
        });
    if let Some(file) = &options.credentials {
        connect = connect.credentials_file(file).await.map_err(ConnectError::Credentials)?;
    }
    if let Some(file) = &options.tls.root_certificates {
        connect = connect.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &options.tls.client_certificate {
        connect = connect.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(connect.connect(options.urls.clone()).await?)
}

fn follow(event: &Event, link: &watch::Sender<Link>, closed: &CancellationToken) {
    match event {
        Event::Connected => link.send_modify(|link| {
            link.up = true;
            link.epoch += 1;
        }),
        Event::Disconnected => link.send_modify(|link| link.up = false),
        Event::Closed => {
            link.send_modify(|link| link.up = false);
            closed.cancel();
        }
        Event::SlowConsumer(_) | Event::LameDuckMode | Event::Draining => {}
        Event::ServerError(_) | Event::ClientError(_) => {}
    }
    match event {
        Event::Connected | Event::Draining | Event::Closed => tracing::info!(%event, "NATS"),
        _ => tracing::warn!(%event, "NATS"),
    }
}

fn found(message: Result<StreamMessage, DirectGetError>) -> Result<Option<StreamMessage>, async_nats::Error> {
    match message {
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// What to tell the port's caller.
pub(crate) fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BusError {
    BusError::Unavailable(error.into())
}
