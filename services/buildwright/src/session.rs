//! Which server a command talks to: the one it was told, the one that runs on the data directory, or its own.

use crate::{
    cli::{ExecutorArgs, Global},
    client::Client,
    config::Config,
    data_dir::SERVER_FILE,
    embedded::{self, Embedded, Options},
    entrance::Entrance,
    hands::ExecutorChoice,
    hiring, settings,
};
use anyhow::Context as _;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// So long a server on this machine may take to say that it is there.
const LOCAL: Duration = Duration::from_secs(2);
const REMOTE: Duration = Duration::from_secs(10);

/// What a server is needed for, if the command has to start it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// To look something up: nothing is carried out.
    Looking,
    /// To carry out work.
    Working(&'a ExecutorArgs),
}

/// A server to talk to.
pub(crate) struct Session {
    /// The connection.
    pub(crate) client: Client,
    /// The data directory, if it is on this machine.
    pub(crate) data_dir: Option<PathBuf>,
    embedded: Option<Embedded>,
}

/// What stands in it.
#[derive(Debug, Deserialize)]
struct Announced {
    address: SocketAddr,
}

impl Session {
    /// Finds a server, or starts one.
    ///
    /// # Errors
    /// If there is none and none can be started.
    pub(crate) async fn open(global: &Global, purpose: Purpose<'_>) -> anyhow::Result<Self> {
        if let Some(url) = &global.server {
            let client = Client::with_key(url, settings::api_key().as_ref())?;
            client.answers(REMOTE).await?;
            return Ok(Self { client, data_dir: None, embedded: None });
        }
        let data_dir = global.data_dir();
        if let Some(client) = running(&data_dir).await {
            return Ok(Self { client, data_dir: Some(data_dir), embedded: None });
        }
        let embedded = start(&data_dir, purpose).await?;
        Self::of(embedded)
    }

    /// A session with a stack of this process.
    pub(crate) fn of(embedded: Embedded) -> anyhow::Result<Self> {
        let client = Client::new(&format!("http://{}", embedded.address()))?;
        let data_dir = Some(embedded.data_dir().root().to_owned());
        Ok(Self { client, data_dir, embedded: Some(embedded) })
    }

    /// Whether this process is the server.
    pub(crate) fn is_own(&self) -> bool {
        self.embedded.is_some()
    }

    /// Whether another server may take the place of this one when it is gone.
    pub(crate) fn can_be_succeeded(&self) -> bool {
        self.embedded.is_none() && self.data_dir.is_some()
    }

    /// Ends it, and the server if it is our own.
    pub(crate) async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.shutdown().await;
        }
    }
}

/// The server that runs on a data directory, if it answers.
pub(crate) async fn running(data_dir: &Path) -> Option<Client> {
    let text = std::fs::read(data_dir.join(SERVER_FILE)).ok()?;
    let announced: Announced = serde_json::from_slice(&text).ok()?;
    let client =
        Client::with_key(&format!("http://{}", announced.address), settings::api_key().as_ref()).ok()?;
    client.answers(LOCAL).await.ok()?;
    Some(client)
}

/// Settings of a stack that a command starts for itself: it may use the disk of whoever runs it.
pub(crate) fn own_config() -> Config {
    let mut config = Config::default();
    config.api.allow_local_repositories = true;
    config
}

async fn start(data_dir: &Path, purpose: Purpose<'_>) -> anyhow::Result<Embedded> {
    let (executor, slots) = match purpose {
        Purpose::Looking => {
            anyhow::ensure!(
                data_dir.join("buildwright.db").exists(),
                "no server runs on {dir}, and there are no builds in it; `buildwright build` makes the first",
                dir = data_dir.display()
            );
            (ExecutorChoice::Scripted(Arc::default()), 0)
        }
        Purpose::Working(args) => (hiring::hire(args, data_dir).await?.choice, usize::from(args.slots)),
    };
    let options = Options {
        data_dir: data_dir.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        entrance: Entrance::ThisMachine,
        secret_key: None,
        slots,
        executor,
        rebuild: false,
        config: own_config(),
    };
    embedded::start(options).await.context("no server runs on the data directory, and none could be started")
}
