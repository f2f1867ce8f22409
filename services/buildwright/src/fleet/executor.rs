//! The executor: it knows the bus and the artifact store, and has no way to the event store.

use super::{
    BusOptions, Running,
    connections::{self, exchange},
    health::{self, Health},
};
use crate::{
    adapters::{SystemClock, UlidIds},
    data_dir::DataDir,
    hands::{self, ExecutorChoice, Hands},
    services::Services,
};
use ::executor::Executor;
use bus_nats::{NatsOutcomes, NatsOutputLog, NatsQueue, OutputBounds};
use ports::{Clock, ExecutorName, Ids as _};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vitals::ReadyChecks;

/// How to start one.
pub(crate) struct ExecutorOptions {
    /// How much it does at once.
    pub(crate) slots: usize,
    /// Who does the work.
    pub(crate) choice: ExecutorChoice,
    /// The rest.
    pub(crate) bus: BusOptions,
}

impl ExecutorOptions {
    /// One with so many slots.
    pub(crate) fn new(slots: usize, choice: ExecutorChoice, bus: BusOptions) -> Self {
        Self { slots, choice, bus }
    }
}

/// Starts one.
pub(crate) async fn executor(options: ExecutorOptions) -> anyhow::Result<Running> {
    let ExecutorOptions { slots, choice, bus: options } = options;
    let data_dir = DataDir::open(&options.data_dir, DataDir::OF_EXECUTOR)?;
    let bus = connections::bus(&options, "executor").await?;
    let artifacts = connections::artifacts(&options, &bus);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let worker = hands::worker(Hands {
        choice: &choice,
        config: &options.config,
        data_dir: &data_dir,
        artifacts: Arc::clone(&artifacts),
        output: Arc::new(NatsOutputLog::new(&bus, OutputBounds::default())),
        clock,
        repositories: hands::repositories(&options.config, &data_dir).await?,
        sharing: exchange(artifacts.clone(), &data_dir),
    })
    .await?;
    let executor = Executor {
        name: name(),
        slots,
        queue: Arc::new(NatsQueue::new(&bus, Arc::clone(&artifacts))),
        outcomes: Arc::new(NatsOutcomes::new(&bus, artifacts)),
        worker,
    };

    let stop = CancellationToken::new();
    let mut services = Services::new(stop.clone());
    services.spawn("executor", executor.run(stop.clone()));
    let ready = health::with_bus(ReadyChecks::default().until(stop), &bus);
    let health = Health::start(&options, ready, health::metrics("executor")).await?;
    Running { role: "executor", data_dir, services, health, store: None, bus }.announced()
}

/// Where it runs, and what no process had before.
fn name() -> ExecutorName {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let id = UlidIds::default().build().to_string();
    let host = host.unwrap_or_else(|| "executor".to_owned());
    ExecutorName(format!("{host}-{}", id.trim_start_matches("bld_")).into())
}
