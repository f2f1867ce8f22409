//! `api`, `driver`, `projector` and `executor`: one role of a fleet each.

use super::Usage;
use crate::{
    cli::{ApiArgs, BusArgs, DriverArgs, ExecutorRoleArgs, FleetArgs, Global, ProjectorArgs, SERVER_PORT},
    config::Config,
    entrance::{Demand, Entrance},
    fleet::{self, ApiOptions, BusOptions, ExecutorOptions, FleetOptions, Running},
    hiring,
    interrupts::Interrupts,
    sealing,
};
use ::executor::{Settings, Signals};
use bus_nats::NatsOptions;
use std::{process::ExitCode, time::Duration};
use tokio_util::sync::CancellationToken;

pub(crate) async fn api(global: &Global, args: ApiArgs) -> anyhow::Result<ExitCode> {
    let listen = global.listen(SERVER_PORT);
    let entrance = Entrance::of(listen, Demand::of(args.require_keys, args.allow_unauthenticated));
    let mut fleet = fleet_options(global, args.fleet)?;
    fleet.bus.config.api.allow_local_repositories |= args.allow_local_repositories;
    args.pages.apply(&mut fleet.bus.config.api);
    let secret_key = sealing::given(args.secret_key.secret_key_file.as_deref())?;
    to_its_end(fleet::api(ApiOptions { listen, entrance, secret_key, fleet }), None).await
}

pub(crate) async fn driver(global: &Global, args: DriverArgs) -> anyhow::Result<ExitCode> {
    to_its_end(fleet::driver(fleet_options(global, args.fleet)?), None).await
}

pub(crate) async fn projector(global: &Global, args: ProjectorArgs) -> anyhow::Result<ExitCode> {
    let secret_key = sealing::given(args.secret_key.secret_key_file.as_deref())?;
    to_its_end(fleet::projector(fleet_options(global, args.fleet)?, secret_key, args.rebuild), None).await
}

pub(crate) async fn executor(global: &Global, args: ExecutorRoleArgs) -> anyhow::Result<ExitCode> {
    let mut bus = bus_options(global, args.bus)?;
    bus.config.api.allow_local_repositories |= args.allow_local_repositories;
    let hired = hiring::hire(&args.executor, &bus.data_dir).await?;
    tracing::info!(executor = hired.about, pool = %args.pool, "hired");
    bus.nats.pool = args.pool;
    bus.nats.labels.clone_from(&args.labels);
    let settings = Settings {
        slots: args.executor.slots.into(),
        grace: Duration::from_secs(args.grace_seconds.into()),
        ..bus.config.executor.clone()
    };
    let options = ExecutorOptions { choice: hired.choice, labels: args.labels, settings, bus };
    let signals = Signals::default();
    let drain = signals.drain.clone();
    to_its_end(fleet::executor(options, signals), Some(drain)).await
}

fn fleet_options(global: &Global, args: FleetArgs) -> anyhow::Result<FleetOptions> {
    Ok(FleetOptions { database_url: args.database_url, bus: bus_options(global, args.bus)? })
}

fn bus_options(global: &Global, args: BusArgs) -> anyhow::Result<BusOptions> {
    if ![1, 3, 5].contains(&args.nats_replicas) {
        return Err(Usage("--nats-replicas: must be 1, 3 or 5".to_owned()).into());
    }
    let config = Config::read(args.config.as_deref())?;
    let nats = NatsOptions {
        urls: args.nats_url,
        credentials: args.nats_credentials,
        ack_wait: Duration::from_secs(args.ack_wait_seconds.into()),
        replicas: usize::from(args.nats_replicas),
        ..config.nats.clone()
    };
    Ok(BusOptions {
        nats,
        artifacts: args.artifacts,
        data_dir: global.data_dir(),
        health: args.health,
        config,
    })
}

/// Runs a role until it is told to stop, and then until it has. One that can drain is first told to do that.
async fn to_its_end(
    starting: impl Future<Output = anyhow::Result<Running>>,
    drain: Option<CancellationToken>,
) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen()?;
    let mut running = tokio::select! {
        running = Box::pin(starting) => running?,
        () = interrupts.next() => return Ok(ExitCode::SUCCESS),
    };
    match running.address() {
        Some(address) => tracing::info!(%address, "running"),
        None => tracing::info!("running"),
    }
    tokio::select! {
        () = interrupts.next() => {}
        error = running.failed() => {
            running.shutdown().await;
            return Err(error);
        }
    }
    if let Some(drain) = drain {
        tracing::info!("finishing what runs; another signal stops it");
        drain.cancel();
        tokio::select! {
            () = running.drained() => {}
            () = interrupts.next() => {}
        }
    }
    tracing::info!("stopping; another signal stops at once");
    tokio::select! {
        () = running.shutdown() => Ok(ExitCode::SUCCESS),
        () = interrupts.next() => Ok(ExitCode::from(130)),
    }
}
