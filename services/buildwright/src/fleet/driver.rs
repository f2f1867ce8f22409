//! The driver: gives out work and turns what comes of it into events.

use super::{
    FleetOptions, Running,
    connections::{self, Database},
    health::{self, Health},
};
use crate::{data_dir::DataDir, services::Services};
use ::driver::{Driver, Executors, Gauges, Settings};
use bus_nats::{NatsOutcomes, NatsQueue, NatsRoster};
use std::sync::Arc;
use store_postgres::{LeadershipOptions, PostgresLeadership};
use tokio_util::sync::CancellationToken;
use vitals::ReadyChecks;

/// Starts one.
pub(crate) async fn driver(options: FleetOptions) -> anyhow::Result<Running> {
    let data_dir = DataDir::open(&options.bus.data_dir, &[])?;
    let database = Database::open(&options).await?;
    let bus = connections::bus(&options.bus, "driver").await?;
    let artifacts = connections::artifacts(&options.bus, &bus)?;
    let config = &options.bus.config;
    let election = LeadershipOptions::default();
    let leadership = PostgresLeadership::new(&options.database_url, &config.postgres, election, "driver")?;
    let roster = Arc::new(NatsRoster::new(&bus, config.roster));
    let grace = config.lost_after.unwrap_or(3 * options.bus.nats.ack_wait);
    let gauges = Gauges::default();
    let driver = Driver {
        builds: Arc::clone(&database.builds),
        store: Arc::clone(&database.events),
        read_models: Arc::new(database.store.clone()),
        queue: Arc::new(NatsQueue::new(&bus, Arc::clone(&artifacts))),
        outcomes: Arc::new(NatsOutcomes::new(&bus, artifacts)),
        clock: Arc::clone(&database.clock),
        leadership: Arc::new(leadership),
        roster: Some(roster.clone()),
        executors: Executors::Elsewhere,
        settings: Settings { grace, ..config.driver.clone() },
        gauges: gauges.clone(),
    };

    let stop = CancellationToken::new();
    let mut services = Services::new(stop.clone());
    services.spawn("driver", driver.run(stop.clone()));
    let metrics = health::metrics("driver");
    health::watch_events(&metrics, &database);
    health::watch_work(&metrics, gauges, roster);
    let ready = health::with_store(health::with_bus(ReadyChecks::default().until(stop), &bus), &database);
    let health = Health::start(&options.bus, ready, metrics).await?;
    let running = Running { role: "driver", data_dir, services, health, store: Some(database.store), bus };
    running.announced()
}
