//! The projector: folds events into read models, and tells them to whoever listens outside.

use super::{
    FleetOptions, Running,
    connections::{self, Database},
    health::{self, Health},
};
use crate::{data_dir::DataDir, services::Services};
use anyhow::Context as _;
use bus_nats::EventFeed;
use ports::{Position, ReadModels};
use projector::Projector;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vitals::ReadyChecks;

/// Starts one, with new read models if they are to be rebuilt. Several may run: each event is folded once, and fed
/// once.
pub(crate) async fn projector(options: FleetOptions, rebuild: bool) -> anyhow::Result<Running> {
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
    health::watch_events(&metrics, &database);
    let ready = health::with_store(health::with_bus(ReadyChecks::default().until(stop), &bus), &database);
    let health = Health::start(&options.bus, ready, metrics).await?;
    let running = Running { role: "projector", data_dir, services, health, store: Some(database.store), bus };
    running.announced()
}
