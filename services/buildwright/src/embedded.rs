//! Everything in one process: SQLite, the in-process bus, and all four services.
//!
//! The data directory belongs to one process at a time; a lock file sees to that, and ends with the process
//! however it ends.

mod data_dir;
mod hands;

pub(crate) use data_dir::DataDir;
pub(crate) use hands::{ClaudeChoice, ExecutorChoice};

use crate::adapters::{GitResults, SystemClock, UlidIds};
use crate::config::Config;
use anyhow::Context as _;
use api::App;
use bus_local::{FileOutputLog, LocalOutcomes, LocalQueue, LocalRoster};
use commands::{Builds, Writers};
use driver::{Driver, Executors};
use executor::{BreakerSettings, Executor, Identity, Reporting, Settings, Signals, Worker};
use ports::{Clock, EventStore, ExecutorName, Ids, OutcomeBus, ReadModels, Roster, TaskQueue};
use projector::Projector;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use store_sqlite::{SqliteOptions, SqliteStore};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use workspace::{Access, Git, Repositories, SourceRules};

/// How many orders may wait for a slot; the driver keeps what comes on top.
const QUEUE: usize = 100_000;

/// How many builds are kept folded in memory.
const CACHED_BUILDS: usize = 512;

/// After so long a silence an executor is taken off the list: three of its announcements were missed.
const SILENCE: Duration = Duration::from_secs(15);

/// How to start.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where everything is kept.
    pub(crate) data_dir: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// How many attempts run at once, all builds together.
    pub(crate) slots: usize,
    /// Who does the work.
    pub(crate) executor: ExecutorChoice,
    /// Defaults and bounds.
    pub(crate) config: Config,
}

/// A running stack.
pub(crate) struct Embedded {
    address: SocketAddr,
    data_dir: DataDir,
    store: SqliteStore,
    parts: Parts,
    stop: CancellationToken,
    services: JoinSet<&'static str>,
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
    let data_dir = DataDir::open(&options.data_dir)?;
    let store = SqliteStore::open(&data_dir.database(), SqliteOptions::default()).await?;
    let parts = Parts::over(&store);
    let output = Arc::new(FileOutputLog::new(data_dir.output(), options.config.output));
    let repositories = repositories(&options, &data_dir).await?;
    let worker =
        hands::worker(&options, &data_dir, &parts, output.clone(), Arc::clone(&repositories)).await?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another server there?", options.listen))?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let app = App {
        builds: Arc::clone(&parts.builds),
        store: Arc::clone(&parts.store),
        read_models: Arc::clone(&parts.read_models),
        output,
        results: Arc::new(GitResults::new(repositories)),
        clock: Arc::clone(&parts.clock),
        ids: Arc::clone(&parts.ids),
        settings: Arc::new(options.config.api),
        stop: stop.clone(),
    };
    let projector = Projector::new(Arc::clone(&parts.store), Arc::clone(&parts.read_models));
    let (driver, executor) =
        (parts.driver(), parts.executor(u32::try_from(options.slots).unwrap_or(u32::MAX), worker));

    let mut services = JoinSet::new();
    let token = || stop.clone();
    services.spawn(named("projector", projector.run(token())));
    services.spawn(named("driver", driver.run(token())));
    services.spawn(named("executor", executor.run(Signals::only_stop(token()))));
    services.spawn(named("api", serve(listener, app, token())));
    data_dir.announce(address)?;
    Ok(Embedded { address, data_dir, store, parts, stop, services })
}

async fn named(name: &'static str, service: impl Future<Output = ()>) -> &'static str {
    service.await;
    name
}

async fn serve(listener: TcpListener, app: App, stop: CancellationToken) {
    if let Err(error) = api::serve(listener, app, stop).await {
        tracing::error!(%error, "the API ended");
    }
}

async fn repositories(options: &Options, data_dir: &DataDir) -> anyhow::Result<Arc<Repositories>> {
    let git = Git::find("git", crate::settings::search_path()).await.context("git is needed")?;
    let local = if options.config.api.allow_local_repositories { Access::Allowed } else { Access::Refused };
    let environment = crate::settings::git_environment();
    let rules = SourceRules { local, environment, ..SourceRules::default() };
    Ok(Arc::new(Repositories::new(git, data_dir.repositories(), rules).await?))
}

impl Parts {
    fn over(store: &SqliteStore) -> Self {
        let events: Arc<dyn EventStore> = Arc::new(store.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let builds = Builds::new(Arc::clone(&events), Arc::clone(&clock), Writers::OnlyThis, CACHED_BUILDS);
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
            executors: Executors::InThisProcess,
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
            settings: Settings {
                slots,
                breaker: BreakerSettings { threshold: None, ..BreakerSettings::default() },
                ..Settings::default()
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
        match self.services.join_next().await {
            Some(Ok(name)) => anyhow::anyhow!("the {name} ended unexpectedly"),
            Some(Err(error)) => anyhow::anyhow!("a service died: {error}"),
            None => anyhow::anyhow!("nothing is running"),
        }
    }

    /// Stops everything. Attempts that run are begun again at the next start.
    pub(crate) async fn shutdown(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.services.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a service died");
            }
        }
        self.data_dir.unannounce();
        self.store.close().await;
    }
}
