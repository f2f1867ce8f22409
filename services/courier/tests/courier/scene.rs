//! A store with events, endpoints, and a courier.

use crate::counted::Counted;
use async_trait::async_trait;
use buildwright_courier::{Courier, Gauges, Sender, Settings};
use chrono::{DateTime, Utc};
use commands::Expected;
use domain::{
    Endpoint, EndpointId,
    endpoint::{DeliveryOrder, EndpointSpec, EndpointState, PayloadKind, Signatures},
};
use egress::{AddressPolicy, Client, Policy};
use endpoints::{Endpoints, Given, Vault};
use ports::{
    Append, Chance, Clock, Deliveries, Delivery, DeliveryFilter, EventStore, Leadership, Metadata, NewEvent,
    NoChance, StoreError, StreamId, Term, Version,
};
use seal::{MasterKey, Seal};
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};
use store_sqlite::{SqliteOptions, SqliteStore};
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;
use webhooks::Schedule;

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the edge of the test")]
    fn now(&self) -> DateTime<Utc> {
        std::time::SystemTime::now().into()
    }
}

struct Loaded;

impl Chance for Loaded {
    fn bytes(&self) -> Result<[u8; 32], NoChance> {
        Ok([7; 32])
    }
}

struct Alone;

#[async_trait]
impl Leadership for Alone {
    async fn lead(&self) -> Result<Term, StoreError> {
        Ok(Term::new(CancellationToken::new(), Box::new(())))
    }
}

/// A store, what is told of it, and how.
pub(crate) struct Scene {
    pub(crate) store: SqliteStore,
    /// How often couriers have read the log.
    pub(crate) reads: Arc<AtomicUsize>,
    /// As many as may read the log at once: what a pool of connections has.
    pub(crate) turns: Arc<Semaphore>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) settings: Settings,
    pub(crate) gauges: Gauges,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

/// A schedule without jitter.
pub(crate) fn schedule(waits_in_millis: &[u64]) -> Schedule {
    let waits = waits_in_millis.iter().copied().map(Duration::from_millis).collect();
    Schedule::new(waits, 0, Duration::from_secs(60)).expect("a schedule")
}

impl Scene {
    pub(crate) async fn over(folder: &Path) -> Self {
        let store =
            SqliteStore::open(&folder.join("store.db"), SqliteOptions::default()).await.expect("a store");
        let secrets = Arc::new(store.clone());
        let vault = Vault::new(secrets, Seal::new(MasterKey::from_bytes(&[1; 32])), Arc::new(Loaded));
        let endpoints = Arc::new(Endpoints::new(Arc::new(store.clone()), vault, Arc::new(SystemClock)));
        let settings = Settings { poll: Duration::from_millis(50), ..Settings::default() };
        let (reads, gauges) = (Arc::default(), Gauges::default());
        let turns = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { store, reads, turns, endpoints, settings, gauges, running: None }
    }

    /// Starts a courier; one that runs is stopped before.
    pub(crate) async fn start(&mut self) {
        self.stop().await;
        let addresses = AddressPolicy::public_and(vec!["127.0.0.0/8".parse().expect("a network")]);
        let policy = Policy { addresses, ..Policy::default() };
        let client =
            Client::new(egress::Settings { policy, ..egress::Settings::default() }).expect("a client");
        let courier = Courier {
            store: Arc::new(Counted {
                log: self.store.clone(),
                reads: Arc::clone(&self.reads),
                turns: Arc::clone(&self.turns),
            }),
            read_models: Arc::new(self.store.clone()),
            list: Arc::new(self.store.clone()),
            endpoints: Arc::clone(&self.endpoints),
            deliveries: Arc::new(self.store.clone()),
            sender: Sender { client, endpoints: Arc::clone(&self.endpoints), clock: Arc::new(SystemClock) },
            leadership: Arc::new(Alone),
            settings: self.settings.clone(),
            gauges: self.gauges.clone(),
        };
        let stop = CancellationToken::new();
        self.running = Some((stop.clone(), tokio::spawn(courier.run(stop))));
    }

    pub(crate) async fn stop(&mut self) {
        if let Some((stop, courier)) = self.running.take() {
            stop.cancel();
            courier.await.expect("no panic");
        }
    }

    pub(crate) async fn endpoint(&self, n: u8, spec: EndpointSpec) -> EndpointId {
        let id = EndpointId::new(Ulid(n.into()));
        let tenant = Default::default();
        let made = self.endpoints.create(id, "tester".into(), tenant, spec, Given::default()).await;
        made.expect("an endpoint").loaded.id
    }

    pub(crate) async fn change(&self, id: EndpointId, change: impl Fn(&mut EndpointSpec) + Send + Sync) {
        let done = self.endpoints.update(id, "tester".into(), &Expected::Any, |spec| {
            let mut spec = spec.clone();
            change(&mut spec);
            endpoints::Change { spec, headers: None }
        });
        done.await.expect("changed");
    }

    /// Events of a build, of the versions after one.
    pub(crate) async fn happen(&self, build: u64, after: u64, events: u64) {
        let payload = |n| format!(r#"{{"number":{n}}}"#);
        self.append(build, after, (1..=events).map(payload).collect(), Metadata::default()).await;
    }

    /// A build is over, after so many events.
    pub(crate) async fn end(&self, build: u64, after: u64) {
        self.append_as("build_completed", build, after, vec!["{}".to_owned()], Metadata::default()).await;
    }

    pub(crate) async fn append(&self, build: u64, after: u64, payloads: Vec<String>, metadata: Metadata) {
        self.append_as("task_completed", build, after, payloads, metadata).await;
    }

    async fn append_as(
        &self,
        kind: &'static str,
        build: u64,
        after: u64,
        payloads: Vec<String>,
        metadata: Metadata,
    ) {
        let event = |payload| NewEvent { kind, schema_version: 1, payload };
        let append = Append {
            stream: testkit::stores::sample::stream(build),
            expected: Version(after),
            events: payloads.into_iter().map(event).collect(),
            metadata,
            recorded_at: SystemClock.now(),
        };
        self.store.append(append).await.expect("stored");
    }

    pub(crate) async fn deliveries(&self, endpoint: EndpointId) -> Vec<Delivery> {
        let filter = DeliveryFilter { endpoint, status: None, before: None, limit: 100_000 };
        let mut deliveries = self.store.deliveries(&filter).await.expect("read").deliveries;
        deliveries.reverse();
        deliveries
    }

    /// Whether there is no such endpoint any more.
    pub(crate) async fn is_gone(&self, id: EndpointId) -> bool {
        self.endpoints.load(id).await.expect("read").is_none()
    }

    pub(crate) async fn state(&self, id: EndpointId) -> EndpointState {
        let loaded = self.endpoints.load(id).await.expect("read").expect("an endpoint");
        let Endpoint { state, .. } = loaded.endpoint;
        state
    }
}

/// What an endpoint at a URL asks for if it asks for nothing special.
pub(crate) fn spec(url: String) -> EndpointSpec {
    EndpointSpec {
        url,
        description: String::new(),
        events: vec!["*".to_owned()],
        projects: Vec::new(),
        labels: Default::default(),
        payload: PayloadKind::Full,
        header_names: Vec::new(),
        order: DeliveryOrder::Any,
        rate_per_second: None,
        concurrency: 4,
        timeout_seconds: 5,
        signatures: Signatures::Hmac,
        build: None,
    }
}

/// The id of an event, as receivers see it.
pub(crate) fn event_id(build: u64, version: u64) -> String {
    let StreamId::Build(_) = testkit::stores::sample::stream(build) else { unreachable!("a build") };
    testkit::stores::sample::stream(build).event(Version(version)).to_string()
}

/// Waits until something is so. It must become so in the end, however slow the machine is.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
