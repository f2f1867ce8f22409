//! The Messages API server: starting and stopping it.

use crate::{Engine, RequestRecord, Script, UsageReport, ledger::Ledger, routes};
use futures::FutureExt;
use secrecy::SecretString;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, ToSocketAddrs},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Connections that have not ended by then are dropped.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// A scripted model, not serving yet.
#[derive(Debug)]
pub struct ScriptedModel {
    pub(crate) engine: Engine,
    pub(crate) ledger: Ledger,
    pub(crate) key: Option<SecretString>,
}

impl ScriptedModel {
    /// A model that follows the script and takes any API key.
    #[must_use]
    pub fn new(script: Script) -> Self {
        Self { engine: Engine::new(script), ledger: Ledger::default(), key: None }
    }

    /// Takes this API key only.
    #[must_use]
    pub fn require_key(self, key: SecretString) -> Self {
        Self { key: Some(key), ..self }
    }

    /// [`Self::listen`] for a script alone.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(script: Script, address: impl ToSocketAddrs) -> io::Result<Handle> {
        Self::new(script).listen(address).await
    }

    /// Serves in the background until the handle is shut down or dropped.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn listen(self, address: impl ToSocketAddrs) -> io::Result<Handle> {
        let listener = TcpListener::bind(address).await?;
        let addr = listener.local_addr()?;
        let model = Arc::new(self);
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve_model(listener, Arc::clone(&model), stop.clone()));
        Ok(Handle { addr, base_url: format!("http://{addr}"), model, serving, stop: stop.drop_guard() })
    }

    /// Serves until the token is cancelled; requests that hang or are paced are broken off then.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        serve_model(listener, Arc::new(self), stop).await
    }
}

/// [`ScriptedModel::serve`] for a script alone.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, script: Script, stop: CancellationToken) -> io::Result<()> {
    ScriptedModel::new(script).serve(listener, stop).await
}

async fn serve_model(
    listener: TcpListener,
    model: Arc<ScriptedModel>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = routes::router(model, &stop);
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = stop.cancelled_owned().then(|()| tokio::time::sleep(SHUTDOWN_GRACE));
    tokio::select! {
        served = serving.into_future() => served,
        () = late => Ok(()),
    }
}

/// A model that is serving. Dropping it stops the server.
#[derive(Debug)]
pub struct Handle {
    addr: SocketAddr,
    base_url: String,
    model: Arc<ScriptedModel>,
    serving: JoinHandle<io::Result<()>>,
    stop: DropGuard,
}

impl Handle {
    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What `ANTHROPIC_BASE_URL` must be.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What was reported as used so far.
    #[must_use]
    pub fn usage(&self) -> UsageReport {
        self.model.ledger.usage()
    }

    /// The newest requests, at most a thousand, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.model.ledger.requests(usize::MAX)
    }

    /// Stops serving, and returns when it has.
    ///
    /// # Errors
    /// When serving had failed before.
    pub async fn shutdown(self) -> io::Result<()> {
        drop(self.stop);
        self.serving.await.map_err(io::Error::other)?
    }
}
