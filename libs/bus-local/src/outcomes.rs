use async_trait::async_trait;
use ports::{Answer, BusError, Confirmation, OutcomeBus, OutcomeReport, Receipt, Received};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

/// Most reports that wait for the driver; executors wait beyond that.
const REPORTS: usize = 4096;

/// Reports in memory. Clones are the same bus.
#[derive(Debug, Clone)]
pub struct LocalOutcomes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    reports: Mutex<Reports>,
    arrived: Notify,
    room: Arc<Semaphore>,
    closed: CancellationToken,
}

/// What waits, by the number of its arrival, so that what comes back stands where it stood.
#[derive(Debug, Default)]
struct Reports {
    waiting: BTreeMap<u64, Waiting>,
    next: u64,
}

#[derive(Debug)]
struct Waiting {
    report: OutcomeReport,
    confirm: oneshot::Sender<Answer>,
    /// Given up when the report is handed out; a report that comes back needs no room again.
    _room: Option<OwnedSemaphorePermit>,
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
        let shared = Shared {
            reports: Mutex::default(),
            arrived: Notify::new(),
            room: Arc::new(Semaphore::new(REPORTS)),
            closed: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes no reports any more. Those that were taken are still handed out.
    pub fn close(&self) {
        self.shared.closed.cancel();
    }
}

impl Shared {
    fn reports(&self) -> MutexGuard<'_, Reports> {
        // Nothing between two changes of the reports can panic.
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_out(self: &Arc<Self>, limit: usize) -> Vec<Received> {
        let mut reports = self.reports();
        let mut handed_out = Vec::with_capacity(reports.waiting.len().min(limit));
        while handed_out.len() < limit
            && let Some((number, waiting)) = reports.waiting.pop_first()
        {
            let report = waiting.report.clone();
            let held = Some(Waiting { _room: None, ..waiting });
            let receipt = LocalReceipt { number, held, shared: Arc::clone(self) };
            handed_out.push(Received { report, receipt: Box::new(receipt) });
        }
        if !reports.waiting.is_empty() {
            self.arrived.notify_one();
        }
        handed_out
    }
}

#[async_trait]
impl OutcomeBus for LocalOutcomes {
    async fn report(&self, report: OutcomeReport) -> Result<Confirmation, BusError> {
        let room = tokio::select! {
            biased;
            () = self.shared.closed.cancelled() => return Err(BusError::Closed),
            room = Arc::clone(&self.shared.room).acquire_owned() => room.map_err(|_| BusError::Closed)?,
        };
        let (confirm, confirmation) = Confirmation::pair();
        let mut reports = self.shared.reports();
        let number = reports.next;
        reports.next += 1;
        reports.waiting.insert(number, Waiting { report, confirm, _room: Some(room) });
        drop(reports);
        self.shared.arrived.notify_one();
        Ok(confirmation)
    }

    async fn reports(&self, limit: usize) -> Result<Vec<Received>, BusError> {
        loop {
            let received = self.shared.hand_out(limit.max(1));
            if !received.is_empty() {
                return Ok(received);
            }
            tokio::select! {
                biased;
                () = self.shared.arrived.notified() => {}
                () = self.shared.closed.cancelled() => return Err(BusError::Closed),
            }
        }
    }
}

struct LocalReceipt {
    number: u64,
    held: Option<Waiting>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Receipt for LocalReceipt {
    async fn confirm(mut self: Box<Self>, answer: Answer) {
        if let Some(held) = self.held.take() {
            // Whoever reported may have gone, or never wanted to know.
            let _ = held.confirm.send(answer);
        }
    }
}

impl Drop for LocalReceipt {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.shared.reports().waiting.insert(self.number, held);
            self.shared.arrived.notify_one();
        }
    }
}
