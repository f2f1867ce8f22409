//! A log on disk, and the processes that come and go over it.

use crate::{
    builds::noon,
    bus::TroubledQueue,
    store::{Log, TroubledStore},
};
use async_trait::async_trait;
use buildwright_driver::{Alone, Driver, Executors, Gauges, Settings};
use bus_local::{LocalOutcomes, LocalQueue};
use chrono::{DateTime, TimeDelta, Utc};
use commands::{Builds, Executed, Writers};
use domain::{
    BuildId,
    build::{Build, BuildEvent, Command},
};
use ports::{
    Append, BusError, Clock, EventStore, ExecutorName, ExecutorStatus, Leadership, Lease, Metadata, NewEvent,
    Position, RecordedEvent, Roster, StreamId, TaskQueue, Version,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The machine: what a process leaves behind when it ends.
pub(crate) struct Scene {
    _folder: TempDir,
    store: SqliteStore,
    pub(crate) clock: Arc<ManualClock>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("events.db");
        let store = SqliteStore::open(&path, SqliteOptions::default()).await.expect("a store");
        Self { _folder: folder, store, clock: Arc::new(ManualClock(Mutex::new(noon()))) }
    }

    /// A process with a driver that has just started.
    pub(crate) fn process(&self) -> Process {
        self.process_with(10_000, Executors::InThisProcess)
    }

    /// A process with a bus of its own, which leads always.
    pub(crate) fn process_with(&self, queue_capacity: usize, executors: Executors) -> Process {
        let queue = LocalQueue::new(queue_capacity);
        let (shared, outcomes) = (Arc::new(queue.clone()), Arc::new(LocalOutcomes::new()));
        let (leadership, settings) = (Arc::new(Alone), Settings::default());
        self.start(queue, shared, outcomes, leadership, executors, Writers::OnlyThis, settings, None)
    }

    /// A replica in a fleet.
    pub(crate) fn replica(&self, fleet: &Fleet) -> Process {
        let Fleet { local, queue, outcomes, leadership, settings, crew } = fleet;
        let (queue, outcomes) = (Arc::clone(queue), Arc::clone(outcomes));
        let leadership = Arc::clone(leadership);
        let settings = settings.clone();
        self.start(
            local.clone(),
            queue,
            outcomes,
            leadership,
            Executors::Elsewhere,
            Writers::Several,
            settings,
            Some(Arc::clone(crew) as _),
        )
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one driver")]
    fn start(
        &self,
        local: LocalQueue,
        queue: Arc<dyn TaskQueue>,
        outcomes: Arc<LocalOutcomes>,
        leadership: Arc<dyn Leadership>,
        executors: Executors,
        writers: Writers,
        settings: Settings,
        roster: Option<Arc<dyn Roster>>,
    ) -> Process {
        let store = Arc::new(TroubledStore::new(self.store.clone()));
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let builds = Arc::new(Builds::new(Arc::clone(&store) as _, Arc::clone(&clock), writers, 100));
        let gauges = Gauges::default();
        let driver = Driver {
            builds: Arc::clone(&builds),
            store: Arc::clone(&store) as _,
            read_models: Arc::new(Log(self.store.clone())),
            queue,
            outcomes: Arc::clone(&outcomes) as _,
            clock,
            leadership,
            roster,
            executors,
            settings,
            gauges: gauges.clone(),
        };
        let stop = CancellationToken::new();
        let driver = tokio::spawn(driver.run(stop.clone()));
        Process { store, builds, queue: local, outcomes, gauges, stop, driver }
    }

    pub(crate) async fn events(&self, id: BuildId) -> Vec<BuildEvent> {
        let stored = self.store.read_stream(StreamId::Build(id), Version(0), 10_000).await.expect("a stream");
        stored.iter().map(|event| event.build_event().expect("an event")).collect()
    }

    pub(crate) async fn kinds(&self, id: BuildId) -> Vec<&'static str> {
        self.events(id).await.iter().map(BuildEvent::kind).collect()
    }

    pub(crate) async fn state(&self, id: BuildId) -> Build {
        let mut build = Build::default();
        for event in self.events(id).await {
            build.apply(&event);
        }
        build
    }

    pub(crate) fn head(&self) -> u64 {
        self.store.head().borrow().0
    }

    /// Waits until there is an event like that, wherever in the log.
    pub(crate) async fn wait_for(&self, wanted: impl Fn(&RecordedEvent) -> bool) {
        let mut head = self.store.head();
        let found = async {
            while !self.store.read_all(Position(0), 100_000).await.expect("a log").iter().any(&wanted) {
                head.changed().await.expect("an open store");
            }
        };
        soon(found).await;
    }

    pub(crate) async fn wait_for_kind(&self, id: BuildId, kind: &str) {
        self.wait_for(|event| event.stream.build() == Some(id) && &*event.kind == kind).await;
    }

    /// Writes an event past all rules.
    pub(crate) async fn append_raw(&self, id: BuildId, expected: u64, kind: &'static str, payload: &str) {
        let append = Append {
            stream: StreamId::Build(id),
            expected: Version(expected),
            events: vec![NewEvent { kind, schema_version: 1, payload: payload.into() }],
            metadata: Metadata::default(),
            recorded_at: noon(),
        };
        self.store.append(append).await.expect("stored");
    }
}

/// What replicas share beside the log.
pub(crate) struct Fleet {
    local: LocalQueue,
    pub(crate) queue: Arc<TroubledQueue>,
    outcomes: Arc<LocalOutcomes>,
    leadership: Arc<dyn Leadership>,
    settings: Settings,
    pub(crate) crew: Arc<Crew>,
}

/// Executors as they tell of themselves.
#[derive(Default)]
pub(crate) struct Crew(Mutex<Vec<ExecutorStatus>>);

#[async_trait]
impl Roster for Crew {
    async fn announce(&self, status: &ExecutorStatus) {
        self.0.lock().expect("a list").push(status.clone());
    }

    async fn leave(&self, name: &ExecutorName) {
        self.0.lock().expect("a list").retain(|status| status.name != *name);
    }

    async fn executors(&self) -> Result<Vec<ExecutorStatus>, BusError> {
        Ok(self.0.lock().expect("a list").clone())
    }
}

impl Fleet {
    pub(crate) fn new(leadership: impl Leadership + 'static, settings: Settings) -> Self {
        let local = LocalQueue::new(10_000);
        let queue = Arc::new(TroubledQueue::new(local.clone()));
        let outcomes = Arc::new(LocalOutcomes::new());
        Self { local, queue, outcomes, leadership: Arc::new(leadership), settings, crew: Arc::default() }
    }
}

/// A running process: a driver and its bus.
pub(crate) struct Process {
    pub(crate) store: Arc<TroubledStore>,
    pub(crate) builds: Arc<Builds>,
    pub(crate) queue: LocalQueue,
    pub(crate) outcomes: Arc<LocalOutcomes>,
    pub(crate) gauges: Gauges,
    stop: CancellationToken,
    driver: JoinHandle<()>,
}

impl Process {
    pub(crate) async fn give(&self, id: BuildId, command: Command) -> Executed {
        self.builds.execute(id, "tester".into(), command).await.expect("accepted")
    }

    /// The next order.
    pub(crate) async fn take(&self) -> Box<dyn Lease> {
        soon(self.queue.take()).await.expect("an open queue")
    }

    /// So many orders, by the number of their task.
    pub(crate) async fn take_many(&self, count: usize) -> Vec<Box<dyn Lease>> {
        let mut leases = Vec::new();
        for _ in 0..count {
            leases.push(self.take().await);
        }
        leases.sort_by_key(|lease| lease.order().work);
        leases
    }

    /// Whether for a while there is nothing to take up.
    pub(crate) async fn nothing_is_offered(&self) -> bool {
        not_within(Duration::from_millis(1_200), self.queue.take()).await
    }

    /// Ends it and forgets all that it knew.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        soon(self.driver).await.expect("the driver does not panic");
    }
}

/// A clock that stands still until a story moves it.
pub(crate) struct ManualClock(Mutex<DateTime<Utc>>);

impl ManualClock {
    pub(crate) fn advance(&self, seconds: i64) {
        *self.0.lock().expect("a time") += TimeDelta::seconds(seconds);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("a time")
    }
}

/// Waits until something that makes no noise has come to pass.
pub(crate) async fn until(mut come: impl FnMut() -> bool) {
    let watched = async {
        while !come() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(watched).await;
}

/// A bound on what must come to pass: a story that hangs fails.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it did not come to pass")
}

/// Whether something that must not be does not come to pass for so long.
pub(crate) async fn not_within<T>(time: Duration, what: impl Future<Output = T>) -> bool {
    tokio::time::timeout(time, what).await.is_err()
}
