//! The projector: folds events into read models, and tells them to whoever listens outside.

use super::{
    FleetOptions, Running,
    connections::{self, Database},
};
use crate::{data_dir::DataDir, services::Services};
use bus_nats::EventFeed;
use ports::{Position, ReadModels};
use projector::Projector;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Starts one. Several may run: each event is folded once, and fed once.
pub(crate) async fn projector(options: FleetOptions) -> anyhow::Result<Running> {
    let data_dir = DataDir::open(&options.bus.data_dir, &[])?;
    let database = Database::open(&options.database_url).await?;
    let bus = connections::bus(&options.bus, "projector").await?;
    let read_models: Arc<dyn ReadModels> = Arc::new(database.store.clone());
    let projector = Projector::new(Arc::clone(&database.events), read_models);
    let feed = EventFeed::new(&bus);

    let stop = CancellationToken::new();
    let mut services = Services::new(stop.clone());
    services.spawn("projector", projector.run(stop.clone()));
    let events = Arc::clone(&database.events);
    services.spawn("event feed", async move { feed.run(events, Position(0), stop).await });
    let running =
        Running { role: "projector", address: None, data_dir, services, store: Some(database.store), bus };
    running.announced()
}
