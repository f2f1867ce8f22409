//! Reports from executors to the driver.

use async_trait::async_trait;
use ports::{BusError, OutcomeBus, OutcomeReport};
use tokio::sync::{Mutex, mpsc};

/// Reports that may wait for the driver; further ones wait with whoever makes them.
const CAPACITY: usize = 4_096;

/// A channel of reports.
pub struct LocalOutcomes {
    sender: mpsc::Sender<OutcomeReport>,
    receiver: Mutex<mpsc::Receiver<OutcomeReport>>,
}

impl LocalOutcomes {
    /// An empty channel.
    #[must_use]
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

impl Default for LocalOutcomes {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl OutcomeBus for LocalOutcomes {
    async fn report(&self, report: OutcomeReport) -> Result<(), BusError> {
        self.sender.send(report).await.map_err(|_| BusError::Closed)
    }

    async fn reports(&self, limit: usize) -> Result<Vec<OutcomeReport>, BusError> {
        let mut reports = Vec::with_capacity(limit.min(64));
        let received = self.receiver.lock().await.recv_many(&mut reports, limit.max(1)).await;
        if received == 0 { Err(BusError::Closed) } else { Ok(reports) }
    }
}
