//! What a role tells those who operate it.

use super::{BusOptions, connections::Database};
use crate::services::Services;
use ::driver::{Counts, Gauges};
use anyhow::Context as _;
use bus_nats::NatsBus;
use ports::{EventStore as _, ReadModels as _, Roster};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vitals::{Metrics, PoolAttempts, PoolExecutors, ReadyChecks, serve_health};

/// The figures of a role.
pub(super) fn metrics(role: &'static str) -> Arc<Metrics> {
    Arc::new(Metrics::new(role, env!("CARGO_PKG_VERSION")))
}

/// How far log and lists have come.
pub(super) fn watch_events(metrics: &Metrics, database: &Database) {
    let (head, projected) = (database.store.head(), database.store.projected());
    metrics.watch_events(move || head.borrow().0, move || projected.borrow().0);
}

/// What there is to do, and who is there to do it.
pub(super) fn watch_work(metrics: &Metrics, gauges: Gauges, roster: Arc<dyn Roster>) {
    let leading = gauges.clone();
    metrics.watch_leading(move || leading.snapshot().leading);
    metrics.watch_attempts(move || {
        let pools = gauges.snapshot().pools.into_iter();
        let of = |counts: Counts| PoolAttempts {
            waiting: counts.waiting as u64,
            queued: counts.admitted as u64,
            running: counts.running as u64,
        };
        pools.map(|(pool, counts)| (pool.to_string(), of(counts))).collect()
    });
    let known: Arc<Mutex<BTreeMap<String, (u64, u64)>>> = Arc::default();
    let gathered = Arc::clone(&known);
    metrics.gather(move || {
        let (roster, gathered) = (Arc::clone(&roster), Arc::clone(&gathered));
        async move {
            let mut pools: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            for executor in roster.executors().await.unwrap_or_default() {
                let (executors, slots) = pools.entry(executor.pool.to_string()).or_default();
                (*executors, *slots) = (*executors + 1, *slots + u64::from(executor.slots));
            }
            *gathered.lock().unwrap_or_else(PoisonError::into_inner) = pools;
        }
    });
    metrics.watch_executors(move || {
        let pools = known.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter();
        pools.map(|(pool, (executors, slots))| (pool, PoolExecutors { executors, slots })).collect()
    });
}

/// Ready while the bus can be spoken to, and until the role is told to stop.
pub(super) fn with_bus(checks: ReadyChecks, bus: &NatsBus) -> ReadyChecks {
    let bus = bus.clone();
    checks.with("bus", move || {
        let connected = bus.is_connected();
        async move { if connected { Ok(()) } else { Err("NATS is not connected".into()) } }
    })
}

/// Ready while the store answers.
pub(super) fn with_store(checks: ReadyChecks, database: &Database) -> ReadyChecks {
    let store = database.store.clone();
    checks.with("store", move || {
        let store = store.clone();
        async move { Ok(store.open_builds(None, 1).await.map(drop)?) }
    })
}

/// Health and metrics of a role that has no API, where it was told to answer for them. They are answered to the
/// last: a process that ends what it is at is alive.
pub(super) struct Health {
    pub(super) address: Option<SocketAddr>,
    pub(super) services: Services,
}

impl Health {
    /// None but the API's own.
    pub(super) fn of_api(address: SocketAddr) -> Self {
        Self { address: Some(address), services: Services::new(CancellationToken::new()) }
    }

    pub(super) async fn start(
        options: &BusOptions,
        ready: ReadyChecks,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let mut services = Services::new(stop.clone());
        let mut address = None;
        if let Some(asked) = options.health {
            let listener = TcpListener::bind(asked)
                .await
                .with_context(|| format!("cannot listen on {asked} (--health); is another process there?"))?;
            address = Some(listener.local_addr()?);
            services.spawn("health", async move {
                if let Err(error) = serve_health(listener, ready, metrics, stop).await {
                    tracing::error!(%error, "health is not answered any more");
                }
            });
        }
        Ok(Self { address, services })
    }
}
