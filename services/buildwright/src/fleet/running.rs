//! A role from its start to its end.

use super::health::Health;
use crate::{data_dir::DataDir, services::Services};
use bus_nats::NatsBus;
use std::net::SocketAddr;
use store_postgres::PostgresStore;

/// A running role.
pub(crate) struct Running {
    pub(super) role: &'static str,
    pub(super) data_dir: DataDir,
    pub(super) services: Services,
    pub(super) health: Health,
    pub(super) store: Option<PostgresStore>,
    pub(super) bus: NatsBus,
}

impl Running {
    /// Says that it runs, to whoever looks into the data directory.
    pub(super) fn announced(self) -> anyhow::Result<Self> {
        self.data_dir.announce(self.role, self.address())?;
        Ok(self)
    }

    /// Where it listens, if it does.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.health.address
    }

    /// Returns when a service ended though nobody asked it to: a defect.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        self.services.failed().await
    }

    /// Waits until a service has ended by itself, as one does that was told to drain.
    pub(crate) async fn drained(&mut self) {
        self.services.one_ended().await;
    }

    /// Stops everything and removes all streams of the bus, with what is in them.
    pub(crate) async fn remove_everything_from_the_bus(mut self) -> anyhow::Result<()> {
        self.services.stop().await;
        self.bus.remove_everything().await?;
        self.bus.close().await;
        Ok(())
    }

    /// Stops everything: first what works, then what it works with.
    pub(crate) async fn shutdown(mut self) {
        self.services.stop().await;
        self.data_dir.unannounce();
        self.bus.close().await;
        if let Some(store) = &self.store {
            store.close().await;
        }
        self.health.services.stop().await;
    }
}
