//! The API of a fleet.

use super::{
    FleetOptions, Running,
    connections::{self, Database, exchange, output_bounds},
    health::{self, Health},
};
use crate::{
    adapters::UlidIds, couriers, data_dir::DataDir, embedded::serve, entrance::Entrance, hands, sealing,
    services::Services,
};
use ::api::{App, AppParts, Delivering};
use anyhow::Context as _;
use bundles::GitResults;
use bus_nats::{NatsOutputLog, NatsRoster};
use secrecy::SecretString;
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vitals::ReadyChecks;

/// How to start one.
pub(crate) struct ApiOptions {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Who gets in.
    pub(crate) entrance: Entrance,
    /// What secrets are sealed with; without it there are no webhooks.
    pub(crate) secret_key: Option<SecretString>,
    /// The rest.
    pub(crate) fleet: FleetOptions,
}

/// Starts one.
pub(crate) async fn api(options: ApiOptions) -> anyhow::Result<Running> {
    let ApiOptions { listen, entrance, secret_key, fleet } = options;
    let data_dir = DataDir::open(&fleet.bus.data_dir, DataDir::OF_API)?;
    let database = Database::open(&fleet).await?;
    let bus = connections::bus(&fleet.bus, "api").await?;
    let repositories = hands::repositories(&fleet.bus.config, &data_dir).await?;
    let settings = fleet.bus.config.api.keys.clone();
    let access = entrance.open(Arc::new(database.store.clone()), settings, database.clock.now()).await?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; is another server there?"))?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let artifacts = connections::artifacts(&fleet.bus, &bus)?;
    let metrics = health::metrics("api");
    health::watch_events(&metrics, &database);
    let ready = ReadyChecks::default().until(stop.clone());
    let endpoints = secret_key.map(|keys| {
        let (events, secrets) = (Arc::clone(&database.events), Arc::new(database.store.clone()));
        sealing::endpoints(events, secrets, &keys)
    });
    let endpoints = endpoints.transpose()?;
    let delivering = endpoints.as_ref().map(|endpoints| {
        let pings = Arc::new(couriers::sender(&fleet.bus.config, Arc::clone(endpoints))?);
        Ok::<_, anyhow::Error>(Delivering { deliveries: Arc::new(database.store.clone()), pings })
    });
    let app = App::new(AppParts {
        endpoints,
        delivering: delivering.transpose()?,
        endpoint_list: Arc::new(database.store.clone()),
        builds: Arc::clone(&database.builds),
        access,
        store: Arc::clone(&database.events),
        read_models: Arc::new(database.store.clone()),
        idempotency: Arc::new(database.store.clone()),
        output: Arc::new(NatsOutputLog::new(&bus, output_bounds(&fleet.bus.config))),
        results: Arc::new(GitResults::new(repositories, exchange(artifacts, &data_dir))),
        roster: Arc::new(NatsRoster::new(&bus, fleet.bus.config.roster)),
        clock: Arc::clone(&database.clock),
        ids: Arc::new(UlidIds::default()),
        settings: Arc::new(fleet.bus.config.api),
        ready: health::with_store(health::with_bus(ready, &bus), &database),
        metrics,
        stop: stop.clone(),
    });

    let mut services = Services::new(stop.clone());
    services.spawn("api", serve(listener, app, stop));
    let health = Health::of_api(address);
    Running { role: "api", data_dir, services, health, store: Some(database.store), bus }.announced()
}
