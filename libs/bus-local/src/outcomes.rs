use async_trait::async_trait;
use ports::{BusError, OutcomeBus, OutcomeReport};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// Most reports that wait for the driver; executors wait beyond that.
const REPORTS: usize = 4096;

/// Reports in memory.
#[derive(Debug)]
pub struct LocalOutcomes {
    reporting: mpsc::Sender<OutcomeReport>,
    reported: Mutex<mpsc::Receiver<OutcomeReport>>,
    closed: CancellationToken,
}

impl Default for LocalOutcomes {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalOutcomes {
    /// Nothing reported.
    #[must_use]
    pub fn new() -> Self {
        let (reporting, reported) = mpsc::channel(REPORTS);
        Self { reporting, reported: Mutex::new(reported), closed: CancellationToken::new() }
    }

    /// Takes no reports any more. Those that were taken are still handed out.
    pub fn close(&self) {
        self.closed.cancel();
    }
}

#[async_trait]
impl OutcomeBus for LocalOutcomes {
    async fn report(&self, report: OutcomeReport) -> Result<(), BusError> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Err(BusError::Closed),
            sent = self.reporting.send(report) => sent.map_err(|_| BusError::Closed),
        }
    }

    async fn reports(&self, limit: usize) -> Result<Vec<OutcomeReport>, BusError> {
        let mut reported = self.reported.lock().await;
        let mut reports = Vec::new();
        tokio::select! {
            biased;
            _ = reported.recv_many(&mut reports, limit.max(1)) => Ok(reports),
            () = self.closed.cancelled() => Err(BusError::Closed),
        }
    }
}
