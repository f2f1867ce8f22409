//! The parts of a process that run until it is told to stop.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Services that run side by side. All are told to stop by one token.
pub(crate) struct Services {
    running: JoinSet<&'static str>,
    stop: CancellationToken,
}

impl Services {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { running: JoinSet::new(), stop }
    }

    /// Starts one.
    pub(crate) fn spawn(&mut self, name: &'static str, service: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            service.await;
            name
        });
    }

    /// Returns when a service ended though nobody asked it to: a defect.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.running.join_next().await {
            Some(Ok(name)) => anyhow::anyhow!("the {name} ended unexpectedly"),
            Some(Err(error)) => anyhow::anyhow!("a service died: {error}"),
            None => anyhow::anyhow!("nothing is running"),
        }
    }

    /// Waits until one has ended by itself.
    pub(crate) async fn one_ended(&mut self) {
        if let Some(Err(error)) = self.running.join_next().await {
            tracing::error!(%error, "a service died");
        }
    }

    /// Tells all of them to stop, and waits until they have.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        while !self.running.is_empty() {
            self.one_ended().await;
        }
    }
}
