//! What is measured: a stack whose work costs nothing, with nothing in it.

use super::{Plan, fleet::Fleet, noop::NoopWorker};
use crate::{
    config::Config,
    embedded::{Embedded, Options, start},
    entrance::Entrance,
    hands::ExecutorChoice,
};
use commands::Builds;
use egress::{AddressPolicy, IpNet};
use ports::{Clock, EventStore, Ids, ReadModels};
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};

/// Attempts at work at the same time.
pub(super) const SLOTS: usize = 256;

/// A stack.
pub(super) struct Stack {
    /// Where its API listens.
    pub(super) address: SocketAddr,
    /// Its store, used directly.
    pub(super) inside: Inside,
    /// Who does its work.
    pub(super) worker: Arc<NoopWorker>,
    kind: Kind,
    _directory: tempfile::TempDir,
}

/// What the measures use beside HTTP.
#[derive(Clone)]
pub(super) struct Inside {
    pub(super) builds: Arc<Builds>,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) read_models: Arc<dyn ReadModels>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
}

enum Kind {
    Embedded(Box<Embedded>),
    Fleet(Box<Fleet>),
}

impl Stack {
    pub(super) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("buildwright-bench-");
        let directory = match &plan.directory {
            Some(parent) => builder.tempdir_in(parent)?,
            None => builder.tempdir()?,
        };
        let worker = Arc::new(NoopWorker::default());
        let (address, inside, kind) = match &plan.fleet {
            None => embedded(directory.path(), worker.clone()).await?,
            Some(servers) => {
                let fleet = Fleet::start(servers, directory.path(), worker.clone()).await?;
                (fleet.address(), fleet.inside(), Kind::Fleet(Box::new(fleet)))
            }
        };
        let stack = Self { address, inside, worker, kind, _directory: directory };
        super::stored::fill(&stack.inside, plan.stored_builds).await?;
        Ok(stack)
    }

    /// Ends it and removes what it stored.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Embedded(embedded) => embedded.shutdown().await,
            Kind::Fleet(fleet) => fleet.end().await?,
        }
        Ok(())
    }
}

async fn embedded(data_dir: &Path, worker: Arc<NoopWorker>) -> anyhow::Result<(SocketAddr, Inside, Kind)> {
    let embedded = start(Options {
        data_dir: data_dir.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        entrance: Entrance::ThisMachine,
        secret_key: None,
        slots: SLOTS,
        executor: ExecutorChoice::Worker(worker),
        rebuild: false,
        config: with_receivers_here(),
    })
    .await?;
    let parts = embedded.parts();
    let inside = Inside {
        builds: Arc::clone(&parts.builds),
        store: Arc::clone(&parts.store),
        read_models: Arc::clone(&parts.read_models),
        clock: Arc::clone(&parts.clock),
        ids: Arc::clone(&parts.ids),
    };
    Ok((embedded.address(), inside, Kind::Embedded(Box::new(embedded))))
}

/// Webhooks may be sent to this machine.
fn with_receivers_here() -> Config {
    let mut config = Config::default();
    let here = IpNet::from(IpAddr::from([127, 0, 0, 1]));
    config.api.webhooks.targets.addresses = AddressPolicy::public_and(vec![here]);
    config
}
