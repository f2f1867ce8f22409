//! One connection to NATS: it comes back by itself, with everything it needs there, and is drained at the end.

mod client;
mod mute;
mod seeing;
mod streams;
mod words;

use crate::{NatsOptions, artifacts::BucketsMade, subjects};
use async_nats::{
    Client,
    jetstream::{self, context::ContextBuilder},
};
pub(crate) use client::connect;
use mute::Mutes;
use ports::BusError;
use seeing::{Known, Look};
use std::{
    sync::{Arc, Mutex as StdMutex, atomic::AtomicI64},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{RwLock, mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use words::{Word, speak};

/// Most publishes whose acknowledgement is awaited at the same time.
const UNDER_WAY: usize = 4_096;
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
    /// When streams and consumers were last seen to. Read by those who see to what orders of single pools need.
    seen_to: RwLock<Option<Look>>,
    mutes: Mutes,
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
            seen_to: RwLock::default(),
            mutes: Mutes::default(),
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
}

/// What to tell the port's caller.
pub(crate) fn unavailable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BusError {
    BusError::Unavailable(error.into())
}
