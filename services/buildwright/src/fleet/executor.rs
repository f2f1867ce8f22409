//! The executor: it knows the bus and the artifact store, and has no way to the event store.

use super::{
    BusOptions, Running,
    connections::{self, exchange, output_bounds},
    health::{self, Health},
};
use crate::{
    adapters::{SystemClock, UlidIds},
    data_dir::DataDir,
    hands::{self, ExecutorChoice, Hands},
    services::Services,
};
use ::executor::{Executor, Identity, OutcomeSpool, PatientArtifacts, Reporting, Settings, Signals};
use bus_nats::{NatsOutcomes, NatsOutputLog, NatsQueue, NatsRoster};
use names::ExecutorLabel;
use ports::{ArtifactStore, Clock, ExecutorName, Ids as _};
use std::sync::Arc;
use vitals::ReadyChecks;

/// How to start one.
pub(crate) struct ExecutorOptions {
    /// Who does the work.
    pub(crate) choice: ExecutorChoice,
    /// What it has and tasks may ask for.
    pub(crate) labels: Vec<ExecutorLabel>,
    /// Bounds and times.
    pub(crate) settings: Settings,
    /// The rest.
    pub(crate) bus: BusOptions,
}

/// Starts one. Cancelling the signals' tokens ends it.
pub(crate) async fn executor(options: ExecutorOptions, signals: Signals) -> anyhow::Result<Running> {
    let ExecutorOptions { choice, labels, settings, bus: options } = options;
    let data_dir = DataDir::open(&options.data_dir, DataDir::OF_EXECUTOR)?;
    let bus = connections::bus(&options, "executor").await?;
    let artifacts = connections::artifacts(&options, &bus)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let kept =
        options.artifacts.keeping(&bus, data_dir.copies(), options.nats.copies, Arc::clone(&clock)).await?;
    let results: Arc<dyn ArtifactStore> = match &kept {
        Some(kept) => Arc::new(kept.clone()),
        None => Arc::clone(&artifacts),
    };
    let results: Arc<dyn ArtifactStore> =
        Arc::new(PatientArtifacts::new(results, settings.artifact_patience));
    let worker = hands::worker(Hands {
        choice: &choice,
        config: &options.config,
        data_dir: &data_dir,
        artifacts: Arc::clone(&results),
        output: Arc::new(NatsOutputLog::new(&bus, output_bounds(&options.config))),
        clock: Arc::clone(&clock),
        repositories: hands::repositories(&options.config, &data_dir).await?,
        sharing: exchange(results, &data_dir),
    })
    .await?;
    let outcomes = Arc::new(NatsOutcomes::new(&bus, Arc::clone(&artifacts)));
    let spool = OutcomeSpool::open(data_dir.spool(), outcomes, settings.spool.clone()).await?;
    let pool = options.nats.pool.clone();
    let executor = Executor {
        identity: Identity { name: name(), version: env!("CARGO_PKG_VERSION").to_owned(), pool, labels },
        settings,
        queue: Arc::new(NatsQueue::new(&bus, artifacts)),
        reporting: Reporting::Spooled(spool),
        roster: Arc::new(NatsRoster::new(&bus, options.config.roster)),
        worker,
        clock,
    };

    let stop = signals.stop.clone();
    let ready = ReadyChecks::default().until(signals.drain.clone());
    let mut services = Services::new(stop);
    if let Some(kept) = kept {
        services.spawn("keeping of artifacts", kept.run(signals.stop.clone()));
    }
    services.spawn("executor", executor.run(signals));
    let ready = health::with_bus(ready, &bus);
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
