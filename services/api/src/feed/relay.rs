//! One reader of the log for all who follow it. However many they are, a new event is read once and written as JSON
//! once, and only those are woken whom it concerns.
//!
//! Nobody has a queue of his own. What was told lately is kept once, up to a bound, and each follower has a short list
//! of references to it. Whoever is too slow for either finds that something is missing, and reads the store by its own
//! cursor until it has caught up.

use super::Message;
use crate::{App, errors::Fault, wire::Addresses};
use domain::BuildId;
use names::TenantName;
use ports::{EventStore, Position, RecordedEvent, StreamId, Version};
use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::{Semaphore, SemaphorePermit, broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Events that are read at once.
const PAGE: usize = 100;
/// How far a follower may be behind before it has to read the store.
const REFERENCES: usize = 256;
/// The pause after which a store that failed is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// An event that was read for all.
pub(crate) struct Told {
    pub(crate) position: Position,
    pub(crate) version: Version,
    pub(crate) kind: Arc<str>,
    message: Arc<Message>,
    /// For those who may not see all of it, if there is something that they may not.
    veiled: Option<Arc<Message>>,
}

impl Told {
    fn of(event: RecordedEvent) -> Result<Self, Fault> {
        let (position, version, kind) = (event.position, event.version, Arc::clone(&event.kind));
        let veiled = Addresses::are_in(&kind)
            .then(|| Message::event(event.clone(), Addresses::HostOnly).map(Arc::new))
            .transpose()?;
        let message = Arc::new(Message::event(event, Addresses::Whole)?);
        Ok(Self { position, version, kind, message, veiled })
    }

    /// What is sent.
    pub(crate) fn message(&self, addresses: Addresses) -> &Arc<Message> {
        match (addresses, &self.veiled) {
            (Addresses::HostOnly, Some(veiled)) => veiled,
            _ => &self.message,
        }
    }

    fn weight(&self) -> usize {
        self.message.weight() + self.veiled.as_ref().map_or(0, |veiled| veiled.weight())
    }
}

/// Whether a build has ended with an event of this type.
pub(super) fn ends_build(kind: &str) -> bool {
    matches!(kind, "build_completed" | "build_failed" | "build_cancelled")
}

/// Whose events are followed.
#[derive(Debug, Clone)]
pub(crate) enum Topic {
    /// All of a tenant's.
    Tenant(TenantName),
    /// A build's.
    Build(BuildId),
}

/// Tells those who follow.
pub(crate) struct Relay {
    store: Arc<dyn EventStore>,
    stop: CancellationToken,
    most_bytes: usize,
    turns: Semaphore,
    state: Mutex<State>,
}

type Listeners = broadcast::Sender<Weak<Told>>;

#[derive(Default)]
struct State {
    tenants: HashMap<TenantName, Listeners>,
    builds: HashMap<BuildId, Listeners>,
    recent: VecDeque<Arc<Told>>,
    bytes: usize,
    /// Whether somebody reads: only while somebody listens.
    reading: bool,
}

impl Relay {
    pub(crate) fn new(app: &App) -> Arc<Self> {
        let settings = &app.settings.streams;
        let turns = Semaphore::new(settings.max_readers.clamp(1, Semaphore::MAX_PERMITS));
        let (store, stop) = (Arc::clone(&app.store), app.stop.clone());
        Arc::new(Self { store, stop, most_bytes: settings.recent_bytes, turns, state: Mutex::default() })
    }

    /// The turn of a follower who has to read the store himself. A thousand at once would leave it no time for others,
    /// and each other none in which to be answered.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    /// From now on: what was stored before is in the store, and of what is stored later nothing is left out without
    /// saying so.
    pub(crate) fn subscribe(self: &Arc<Self>, topic: Topic) -> Subscription {
        let mut state = self.state();
        if !state.reading {
            state.reading = true;
            let mut head = self.store.head();
            let upto = *head.borrow_and_update();
            tokio::spawn(Arc::clone(self).read(head, upto));
        }
        let new = || broadcast::channel(REFERENCES).0;
        let listeners = match &topic {
            Topic::Tenant(tenant) => state.tenants.entry(tenant.clone()).or_insert_with(new),
            Topic::Build(build) => state.builds.entry(*build).or_insert_with(new),
        };
        let news = listeners.subscribe();
        Subscription { relay: Arc::clone(self), topic, news }
    }

    async fn read(self: Arc<Self>, mut head: watch::Receiver<Position>, mut upto: Position) {
        // The store may have more than its head tells; so they are not compared with each other.
        let mut newest = upto;
        loop {
            let before = std::mem::replace(&mut newest, *head.borrow_and_update());
            if newest < before {
                // Somebody has put an older database in its place.
                upto = newest;
                self.interrupt();
            }
            if self.is_idle() {
                return;
            }
            match self.store.read_all(upto, PAGE).await {
                Ok(page) => {
                    if let Some(last) = page.last() {
                        upto = last.position;
                        self.tell(page);
                        // Those who were told come first.
                        tokio::task::yield_now().await;
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the log cannot be read for those who follow it");
                    self.interrupt();
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                changed = head.changed() => if changed.is_err() {
                    return self.interrupt();
                },
            }
        }
    }

    /// Whether nobody listens any more. Then nobody reads, until somebody does again.
    fn is_idle(&self) -> bool {
        let mut state = self.state();
        let idle = state.tenants.is_empty() && state.builds.is_empty();
        if idle {
            *state = State::default();
        }
        idle
    }

    /// Makes everybody look into the store.
    fn interrupt(&self) {
        let mut state = self.state();
        *state = State { reading: state.reading, ..State::default() };
    }

    fn tell(&self, page: Vec<RecordedEvent>) {
        let mut state = self.state();
        for event in page {
            state.tell(event);
        }
        while state.bytes > self.most_bytes {
            let Some(oldest) = state.recent.pop_front() else { break };
            state.bytes -= oldest.weight();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, event: RecordedEvent) {
        let tenant = self.tenants.get(&event.metadata.tenant);
        let build = event.stream.build().and_then(|build| self.builds.get(&build));
        if tenant.is_none() && build.is_none() {
            return;
        }
        let (stream, owner) = (event.stream, event.metadata.tenant.clone());
        let Ok(told) = Told::of(event) else {
            // They find what is wrong with it themselves.
            self.tenants.remove(&owner);
            if let StreamId::Build(build) = stream {
                self.builds.remove(&build);
            }
            return;
        };
        let told = Arc::new(told);
        for listeners in [tenant, build].into_iter().flatten() {
            // If the last one has just gone, nobody misses it.
            let _ = listeners.send(Arc::downgrade(&told));
        }
        self.bytes += told.weight();
        self.recent.push_back(told);
    }
}

/// Somebody who listens.
pub(crate) struct Subscription {
    relay: Arc<Relay>,
    topic: Topic,
    news: broadcast::Receiver<Weak<Told>>,
}

/// What a listener hears.
pub(crate) enum News {
    /// The next event.
    Told(Arc<Told>),
    /// That something was left out, or will be: the store has it.
    Missed,
}

impl Subscription {
    /// Waits for the next event.
    pub(crate) async fn next(&mut self) -> News {
        match self.news.recv().await {
            Ok(told) => told.upgrade().map_or(News::Missed, News::Told),
            Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => News::Missed,
        }
    }

    /// The same, from now on.
    pub(crate) fn renewed(&self) -> Self {
        self.relay.subscribe(self.topic.clone())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.relay.state();
        match &self.topic {
            Topic::Tenant(tenant) => leave(&mut state.tenants, tenant),
            Topic::Build(build) => leave(&mut state.builds, build),
        }
    }
}

/// Forgets those who listened to this if whoever goes was the last. Should another's only listener be taken for that
/// after an interruption, it hears that it missed something, and comes back.
fn leave<K: Hash + Eq>(listeners: &mut HashMap<K, Listeners>, of: &K) {
    if listeners.get(of).is_some_and(|listeners| listeners.receiver_count() <= 1) {
        listeners.remove(of);
    }
}
