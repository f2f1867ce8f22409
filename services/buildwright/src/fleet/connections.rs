//! The store and the bus. A process that starts while one of them is away waits for it, as one does that runs.

use super::ArtifactsUrl;
use crate::{adapters::SystemClock, config::Config, data_dir::DataDir};
use bundles::{Exchange, ExchangeLimits, Sharing};
use bus_nats::{NatsBus, NatsOptions, OutputBounds};
use commands::{Builds, Snapshotting, Writers};
use ports::{ArtifactStore, Clock, EventStore, StoreError};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use store_postgres::PostgresStore;

/// Between two tries to reach what is away.
const AGAIN: Duration = Duration::from_secs(1);

/// What every role is told.
#[derive(Debug, Clone)]
pub(crate) struct BusOptions {
    /// How NATS is reached, and the bounds of what is kept there.
    pub(crate) nats: NatsOptions,
    /// Where artifacts are kept.
    pub(crate) artifacts: ArtifactsUrl,
    /// Where this process keeps what it needs on disk.
    pub(crate) data_dir: PathBuf,
    /// Where health and metrics are asked for.
    pub(crate) health: Option<SocketAddr>,
    /// Defaults and bounds.
    pub(crate) config: Config,
}

/// What the roles are told that know the event store.
#[derive(Clone)]
pub(crate) struct FleetOptions {
    /// The URL of the database. Not to be shown: it may hold a password.
    pub(crate) database_url: String,
    /// The rest.
    pub(crate) bus: BusOptions,
}

/// The bus.
pub(super) async fn bus(options: &BusOptions, role: &str) -> anyhow::Result<NatsBus> {
    let nats = NatsOptions { name: format!("buildwright-{role}"), ..options.nats.clone() };
    let mut connecting = Box::pin(NatsBus::connect(nats));
    loop {
        match tokio::time::timeout(5 * AGAIN, &mut connecting).await {
            Ok(bus) => return Ok(bus?),
            Err(_) => tracing::warn!("NATS cannot be reached yet"),
        }
    }
}

/// The event store, and everything made from it.
pub(super) struct Database {
    pub(super) store: PostgresStore,
    pub(super) events: Arc<dyn EventStore>,
    pub(super) builds: Arc<Builds>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Database {
    pub(super) async fn open(options: &FleetOptions) -> anyhow::Result<Self> {
        let (url, config) = (options.database_url.as_str(), &options.bus.config);
        let store = loop {
            match PostgresStore::open(url, config.postgres.clone()).await {
                Ok(store) => break store,
                Err(StoreError::Unavailable(error)) => {
                    tracing::warn!(%error, "the event store cannot be opened yet");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let events: Arc<dyn EventStore> = Arc::new(store.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let snapshots = Snapshotting::new(Arc::new(store.clone()), config.snapshot_every);
        let (log, time) = (Arc::clone(&events), Arc::clone(&clock));
        let builds = Builds::with_snapshots(log, time, Writers::Several, config.cached_builds, snapshots);
        Ok(Self { store, events, builds: Arc::new(builds), clock })
    }
}

/// How commits travel: through the artifact store.
pub(super) fn exchange(artifacts: Arc<dyn ArtifactStore>, data_dir: &DataDir) -> Sharing {
    let exchange = Exchange::new(artifacts, data_dir.scratch(), ExchangeLimits::default());
    Sharing::ThroughArtifacts(Arc::new(exchange))
}

/// How much output is kept of one piece of work. A line has to fit a message, too.
pub(super) fn output_bounds(config: &Config) -> OutputBounds {
    let (most, set) = (OutputBounds::default(), config.output);
    OutputBounds { work_bytes: set.work_bytes, line_bytes: set.line_bytes.min(most.line_bytes), ..most }
}

/// The artifact store.
pub(super) fn artifacts(options: &BusOptions, bus: &NatsBus) -> anyhow::Result<Arc<dyn ArtifactStore>> {
    options.artifacts.open(bus)
}
