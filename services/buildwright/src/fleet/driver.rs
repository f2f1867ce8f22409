//! The driver: gives out work and turns what comes of it into events.

use super::{
    FleetOptions, Running,
    connections::{self, Database},
};
use crate::{data_dir::DataDir, services::Services};
use ::driver::{Driver, Executors};
use bus_nats::{NatsOutcomes, NatsQueue};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Starts one.
pub(crate) async fn driver(options: FleetOptions) -> anyhow::Result<Running> {
    let data_dir = DataDir::open(&options.bus.data_dir, &[])?;
    let database = Database::open(&options.database_url).await?;
    let bus = connections::bus(&options.bus, "driver").await?;
    let artifacts = connections::artifacts(&options.bus, &bus);
    let driver = Driver {
        builds: Arc::clone(&database.builds),
        store: Arc::clone(&database.events),
        read_models: Arc::new(database.store.clone()),
        queue: Arc::new(NatsQueue::new(&bus, Arc::clone(&artifacts))),
        outcomes: Arc::new(NatsOutcomes::new(&bus, artifacts)),
        clock: Arc::clone(&database.clock),
        executors: Executors::Elsewhere,
    };

    let stop = CancellationToken::new();
    let mut services = Services::new(stop.clone());
    services.spawn("driver", driver.run(stop));
    let running =
        Running { role: "driver", address: None, data_dir, services, store: Some(database.store), bus };
    running.announced()
}
