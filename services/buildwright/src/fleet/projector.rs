//! The projector: folds events into read models, and tells them to whoever listens outside.

use super::{
    FleetOptions, Running,
    connections::{self, Database},
    health::{self, Health},
};
use crate::{couriers, data_dir::DataDir, sealing, services::Services};
use anyhow::Context as _;
use bus_nats::EventFeed;
use courier::Courier;
use ports::{Position, ReadModels};
use projector::Projector;
use secrecy::SecretString;
use std::sync::Arc;
use store_postgres::{LeadershipOptions, PostgresLeadership};
use tokio_util::sync::CancellationToken;
use vitals::ReadyChecks;

/// Starts one, with new read models if they are to be rebuilt. Several may run: each event is folded once, and fed
/// once.
pub(crate) async fn projector(
    options: FleetOptions,
    secret_key: Option<SecretString>,
    rebuild: bool,
) -> anyhow::Result<Running> {
    let data_dir = DataDir::open(&options.bus.data_dir, &[])?;
    let database = Database::open(&options).await?;
    let bus = connections::bus(&options.bus, "projector").await?;
    let gather = options.bus.config.gather;
    let read_models: Arc<dyn ReadModels> = Arc::new(database.store.clone());
    let projector =
        Projector::new(Arc::clone(&database.events), read_models, Arc::new(database.store.clone()));
    let projector = projector.gather_for(gather);
    if rebuild {
        projector.begin_again().await.context("the read models cannot be thrown away")?;
    }
    let feed = EventFeed::new(&bus).gather_for(gather);

    let stop = CancellationToken::new();
    let mut services = Services::new(stop.clone());
    services.spawn("projector", projector.run(stop.clone()));
    let (events, stopping) = (Arc::clone(&database.events), stop.clone());
    services.spawn("event feed", async move { feed.run(events, Position(0), stopping).await });
    let metrics = health::metrics("projector");
    match secret_key {
        Some(keys) => {
            let courier = courier(&options, &database, &keys)?;
            couriers::watch(&metrics, &courier.gauges);
            services.spawn("courier", courier.run(stop.clone()));
        }
        None => tracing::info!("no webhooks are delivered here: there is no key to open their secrets with"),
    }
    health::watch_events(&metrics, &database);
    let ready = health::with_store(health::with_bus(ReadyChecks::default().until(stop), &bus), &database);
    let health = Health::start(&options.bus, ready, metrics).await?;
    let running = Running { role: "projector", data_dir, services, health, store: Some(database.store), bus };
    running.announced()
}

/// The courier of a fleet: of all processes that could deliver, one does.
fn courier(options: &FleetOptions, database: &Database, keys: &SecretString) -> anyhow::Result<Courier> {
    let config = &options.bus.config;
    let election = LeadershipOptions::default();
    let leadership = PostgresLeadership::new(&options.database_url, &config.postgres, election, "courier")?;
    let secrets = Arc::new(database.store.clone());
    let endpoints = sealing::endpoints(Arc::clone(&database.events), secrets, keys)?;
    couriers::courier(&database.store, Arc::clone(&database.events), endpoints, Arc::new(leadership), config)
}
