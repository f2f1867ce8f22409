//! Everything in one process: SQLite, the in-process bus, and all four services.
//!
//! The data directory belongs to one process at a time; a lock file sees to that, and ends with the process
//! however it ends.

use crate::adapters::{SystemClock, UlidIds};
use crate::config::Config;
use crate::couriers;
use crate::data_dir::DataDir;
use crate::entrance::Entrance;
use crate::hands::{self, ExecutorChoice, Hands};
use crate::{sealing, services::Services};
use anyhow::Context as _;
use api::{App, AppParts, Delivering};
use bundles::{GitResults, Sharing};
use bus_local::{FileOutputLog, FolderArtifacts, LocalOutcomes, LocalQueue, LocalRoster};
use commands::{Builds, Snapshotting, Writers};
use driver::{Alone, Driver, Executors, Gauges, Window};
use executor::{BreakerSettings, Executor, Identity, Reporting, Signals, Worker};
use ports::{Clock, EventStore, ExecutorName, Ids, OutcomeBus, ReadModels, Roster, TaskQueue};
use projector::Projector;
use secrecy::SecretString;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use store_sqlite::{SqliteOptions, SqliteStore};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vitals::{Metrics, ReadyChecks};

/// How many orders may wait for a slot; the driver keeps what comes on top.
const QUEUE: usize = 100_000;

/// How many of them may be there that nobody has started: fair, and more than can be started while one append
/// is under way.
const WINDOW: usize = 4_096;

/// After so long a silence an executor is taken off the list: three of its announcements were missed.
const SILENCE: Duration = Duration::from_secs(15);

/// How to start.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where everything is kept.
    pub(crate) data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Who gets in.
    pub(crate) entrance: Entrance,
    /// What secrets are sealed with, if not with a key of the data directory's own.
    pub(crate) secret_key: Option<SecretString>,
    /// How many attempts run at once, all builds together.
    pub(crate) slots: usize,
    /// Who does the work.
    pub(crate) executor: ExecutorChoice,
    /// Whether read models are thrown away and folded again from all events.
    pub(crate) rebuild: bool,
    /// Defaults and bounds.
    pub(crate) config: Config,
}

/// A running stack.
pub(crate) struct Embedded {
    address: SocketAddr,
    data_dir: DataDir,
    store: SqliteStore,
    parts: Parts,
    services: Services,
}

/// What other code of this process may use directly.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) builds: Arc<Builds>,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) read_models: Arc<dyn ReadModels>,
    pub(crate) queue: Arc<dyn TaskQueue>,
    pub(crate) outcomes: Arc<dyn OutcomeBus>,
    pub(crate) roster: Arc<dyn Roster>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
}

/// Starts everything; when this returns, the API answers.
pub(crate) async fn start(options: Options) -> anyhow::Result<Embedded> {
    let data_dir = DataDir::open(&options.data_dir, DataDir::ALL)?;
    let store = SqliteStore::open(&data_dir.database(), SqliteOptions::default()).await?;
    let parts = Parts::over(&store, &options.config);
    let output = Arc::new(FileOutputLog::new(data_dir.output(), options.config.output));
    let repositories = hands::repositories(&options.config, &data_dir).await?;
    let worker = hands::worker(Hands {
        choice: &options.executor,
        config: &options.config,
        data_dir: &data_dir,
        artifacts: Arc::new(FolderArtifacts::new(data_dir.artifacts())),
        output: output.clone(),
        clock: Arc::clone(&parts.clock),
        repositories: Arc::clone(&repositories),
        sharing: Sharing::OneDisk,
    })
    .await?;
    let keys = Arc::new(store.clone());
    let access = options.entrance.open(keys, options.config.api.keys.clone(), parts.clock.now()).await?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another server there?", options.listen))?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let gather = options.config.gather;
    let secret_key = options.secret_key.map_or_else(|| sealing::kept_in(&data_dir), Ok)?;
    let secrets = Arc::new(store.clone());
    let endpoints = sealing::endpoints(Arc::clone(&parts.store), secrets, &secret_key)?;
    let events = Arc::clone(&parts.store);
    let courier =
        couriers::courier(&store, events, Arc::clone(&endpoints), Arc::new(Alone), &options.config)?;
    let metrics = Arc::new(Metrics::new("embedded", env!("CARGO_PKG_VERSION")));
    couriers::watch(&metrics, &courier.gauges);
    let app = App::new(AppParts {
        endpoints: Some(endpoints),
        delivering: Some(Delivering {
            deliveries: Arc::clone(&courier.deliveries),
            pings: Arc::new(courier.sender.clone()),
        }),
        endpoint_list: Arc::new(store.clone()),
        builds: Arc::clone(&parts.builds),
        access,
        store: Arc::clone(&parts.store),
        read_models: Arc::clone(&parts.read_models),
        idempotency: Arc::new(store.clone()),
        output,
        results: Arc::new(GitResults::new(repositories, Sharing::OneDisk)),
        roster: Arc::clone(&parts.roster),
        clock: Arc::clone(&parts.clock),
        ids: Arc::clone(&parts.ids),
        settings: Arc::new(options.config.api),
        ready: ReadyChecks::default(),
        metrics,
        stop: stop.clone(),
    });
    let (events, read_models) = (Arc::clone(&parts.store), Arc::clone(&parts.read_models));
    let projector = Projector::new(events, read_models, Arc::new(store.clone())).gather_for(gather);
    if options.rebuild {
        projector.begin_again().await.context("the read models cannot be thrown away")?;
    }
    let (driver, executor) =
        (parts.driver(), parts.executor(u32::try_from(options.slots).unwrap_or(u32::MAX), worker));

    let mut services = Services::new(stop.clone());
    let token = || stop.clone();
    services.spawn("projector", projector.run(token()));
    services.spawn("driver", driver.run(token()));
    services.spawn("courier", courier.run(token()));
    services.spawn("executor", executor.run(Signals::only_stop(token())));
    services.spawn("api", serve(listener, app, token()));
    data_dir.announce("up", Some(address))?;
    Ok(Embedded { address, data_dir, store, parts, services })
}

/// Serves the API until told to stop.
pub(crate) async fn serve(listener: TcpListener, app: App, stop: CancellationToken) {
    if let Err(error) = api::serve(listener, app, stop).await {
        tracing::error!(%error, "the API ended");
    }
}

impl Parts {
    fn over(store: &SqliteStore, config: &Config) -> Self {
        let events: Arc<dyn EventStore> = Arc::new(store.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let snapshots = Snapshotting::new(Arc::new(store.clone()), config.snapshot_every);
        let writers = Writers::OnlyThis;
        let (log, time) = (Arc::clone(&events), Arc::clone(&clock));
        let builds = Builds::with_snapshots(log, time, writers, config.cached_builds, snapshots);
        Self {
            builds: Arc::new(builds),
            store: events,
            read_models: Arc::new(store.clone()),
            queue: Arc::new(LocalQueue::new(QUEUE)),
            outcomes: Arc::new(LocalOutcomes::new()),
            roster: Arc::new(LocalRoster::new(SILENCE)),
            clock,
            ids: Arc::new(UlidIds::default()),
        }
    }

    fn driver(&self) -> Driver {
        Driver {
            builds: Arc::clone(&self.builds),
            store: Arc::clone(&self.store),
            read_models: Arc::clone(&self.read_models),
            queue: Arc::clone(&self.queue),
            outcomes: Arc::clone(&self.outcomes),
            clock: Arc::clone(&self.clock),
            leadership: Arc::new(Alone),
            roster: None,
            executors: Executors::InThisProcess,
            settings: driver::Settings { window: Window::Fixed(WINDOW), ..driver::Settings::default() },
            gauges: Gauges::default(),
        }
    }

    /// Reports go straight to the driver beside it, which ends with it; without a fleet to go elsewhere, nothing
    /// is gained by letting work wait for the model.
    fn executor(&self, slots: u32, worker: Arc<dyn Worker>) -> Executor {
        Executor {
            identity: Identity {
                name: executor_name(self.ids.as_ref()),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pool: Default::default(),
                labels: Vec::new(),
            },
            settings: executor::Settings {
                slots,
                breaker: BreakerSettings { threshold: None, ..BreakerSettings::default() },
                ..executor::Settings::default()
            },
            queue: Arc::clone(&self.queue),
            reporting: Reporting::Direct(Arc::clone(&self.outcomes)),
            roster: Arc::clone(&self.roster),
            worker,
            clock: Arc::clone(&self.clock),
        }
    }
}

/// A name that no earlier process had.
fn executor_name(ids: &dyn Ids) -> ExecutorName {
    let id = ids.build().to_string();
    ExecutorName(format!("local-{}", id.trim_start_matches("bld_")).into())
}

impl Embedded {
    /// Where the API listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The services' insides, for the benchmark.
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> &DataDir {
        &self.data_dir
    }

    /// Returns when a service ended though nobody asked it to: a defect.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        self.services.failed().await
    }

    /// Stops everything. Attempts that run are begun again at the next start.
    pub(crate) async fn shutdown(mut self) {
        self.services.stop().await;
        self.data_dir.unannounce();
        self.store.close().await;
    }
}
