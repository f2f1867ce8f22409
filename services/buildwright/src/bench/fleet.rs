//! A fleet on this machine: api, driver and projector are processes of their own, as they would be anywhere;
//! the executor is this process, which also makes the load.

use super::{
    noop::NoopWorker,
    stack::{Inside, SLOTS},
};
use crate::{
    adapters::{SystemClock, UlidIds},
    config::Config,
    data_dir::SERVER_FILE,
    fleet::{self, ArtifactsUrl, BusOptions, ExecutorOptions, Running},
    hands::ExecutorChoice,
};
use ::executor::{Settings, Signals};
use anyhow::{Context as _, bail};
use bus_nats::NatsOptions;
use commands::{Builds, Writers};
use ports::{Clock, EventStore};
use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use store_postgres::{PostgresOptions, PostgresStore, ScratchDatabase};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// What all roles are told, so that webhooks can be sent to this machine.
const SETTINGS: &str = "settings.toml";
/// What seals secrets that nobody needs to keep: 32 zeros.
const SECRET_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// So long a role may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(20);

/// The servers that a fleet is measured over.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    /// A PostgreSQL server, on which databases are made and removed.
    pub(crate) database_url: String,
    /// A NATS server with nothing in it.
    pub(crate) nats_url: String,
}

impl Servers {
    /// Two that measure over one NATS would remove each other's streams, and a fleet's would go, too.
    pub(super) async fn refuse_if_in_use(&self) -> anyhow::Result<()> {
        let nats = NatsOptions::new(&self.nats_url);
        let there = timeout(STARTS_WITHIN, bus_nats::streams_on(&nats))
            .await
            .context("--nats-url: the NATS server cannot be reached")??;
        if !there.is_empty() {
            bail!(
                "--nats-url: this NATS server holds streams that Buildwright would use, and remove at the end: {}. \
                 A fleet or another benchmark uses it, or one that was stopped left them. Name a server with \
                 nothing in it (`nats-server -js -sd $(mktemp -d) -p 4333`), or if nobody needs them, remove \
                 them (`nats stream rm NAME`)",
                there.join(", ")
            );
        }
        Ok(())
    }
}

pub(super) struct Fleet {
    address: SocketAddr,
    inside: Inside,
    store: PostgresStore,
    roles: Vec<Child>,
    executor: Running,
    database: ScratchDatabase,
}

impl Fleet {
    pub(super) async fn start(
        servers: &Servers,
        directory: &Path,
        worker: Arc<NoopWorker>,
    ) -> anyhow::Result<Self> {
        let database = ScratchDatabase::create(&servers.database_url).await?;
        tokio::fs::write(directory.join(SETTINGS), "[webhooks]\nallowed_networks = [\"127.0.0.1/32\"]\n")
            .await?;
        let mut roles = Vec::new();
        for role in ["api", "driver", "projector"] {
            roles.push(spawn(role, servers, database.url(), directory)?);
        }
        let mut nats = NatsOptions::new(&servers.nats_url);
        nats.name = "buildwright-bench".to_owned();
        let bus = BusOptions {
            nats,
            artifacts: ArtifactsUrl::Nats,
            data_dir: directory.join("executor"),
            health: None,
            config: Config::default(),
        };
        let settings = Settings { slots: u32::try_from(SLOTS)?, ..Settings::default() };
        let choice = ExecutorChoice::Worker(worker);
        let options = ExecutorOptions { choice, labels: Vec::new(), settings, bus };
        let executor = Box::pin(fleet::executor(options, Signals::default())).await?;
        let store = PostgresStore::open(database.url(), PostgresOptions::default()).await?;
        let events: Arc<dyn EventStore> = Arc::new(store.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let builds = Builds::new(Arc::clone(&events), Arc::clone(&clock), Writers::Several, 64);
        let inside = Inside {
            builds: Arc::new(builds),
            store: events,
            read_models: Arc::new(store.clone()),
            clock,
            ids: Arc::new(UlidIds::default()),
        };
        let mut address = None;
        for role in ["projector", "driver", "api"] {
            address = announced(&directory.join(role)).await.with_context(|| format!("the {role}"))?;
        }
        let address = address.context("the api says no address")?;
        Ok(Self { address, inside, store, roles, executor, database })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn inside(&self) -> Inside {
        self.inside.clone()
    }

    pub(super) async fn end(self) -> anyhow::Result<()> {
        let Self { store, roles, executor, database, .. } = self;
        for mut role in roles {
            // Their data is removed anyway.
            role.kill().await?;
        }
        executor.remove_everything_from_the_bus().await?;
        store.close().await;
        database.remove().await?;
        Ok(())
    }
}

fn spawn(role: &str, servers: &Servers, database_url: &str, directory: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role).arg("--data-dir").arg(directory.join(role));
    command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
    command.env("DATABASE_URL", database_url).env("NATS_URL", &servers.nats_url);
    command.env("BUILDWRIGHT_CONFIG", directory.join(SETTINGS)).env("BUILDWRIGHT_SECRET_KEY", SECRET_KEY);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn()?)
}

/// Waits until a role says that it runs; then where it listens, if it does.
async fn announced(data_dir: &Path) -> anyhow::Result<Option<SocketAddr>> {
    let begun = Instant::now();
    loop {
        if let Ok(text) = tokio::fs::read(data_dir.join(SERVER_FILE)).await {
            let said: serde_json::Value = serde_json::from_slice(&text)?;
            return Ok(said["address"].as_str().and_then(|address| address.parse().ok()));
        }
        if begun.elapsed() > STARTS_WITHIN {
            bail!("does not start within {STARTS_WITHIN:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
