//! Turns committed events into effects, and what executors report into commands.
//!
//! | file | what |
//! |---|---|
//! | `effects` | follows the log: offers scheduled work, revokes what has ended, sets timers |
//! | `orders` | from the state of a build to the order an executor needs |
//! | `outcomes` | from reports to commands |
//! | `recovery` | at start: what was open, and nobody holds any more |
//! | `timers` | build deadlines and waits before retries |
//!
//! The driver keeps nothing that it could not make again from the event store: whatever it loses, recovery
//! offers again.

mod effects;
mod orders;
mod outcomes;
mod recovery;
mod timers;

use commands::Builds;
use ports::{Clock, EventStore, OutcomeBus, ReadModels, TaskQueue};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// So long a queue that takes nothing is left alone before the same is offered again.
const AGAIN: Duration = Duration::from_millis(200);

/// Waits between tries of something that failed: longer ones each time, so that an outage does not fill the log.
struct Pause(Duration);

impl Pause {
    const FIRST: Self = Self(Duration::from_millis(100));
    const LONGEST: Duration = Duration::from_secs(3);

    /// Waits before the next try; cut short when told to stop.
    async fn wait(&mut self, stop: &CancellationToken) {
        let _ = tokio::time::timeout(self.0, stop.cancelled()).await;
        self.0 = (self.0 * 2).min(Self::LONGEST);
    }
}

/// Who holds attempts that were running when the driver starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executors {
    /// Executors are part of this process: none of an earlier one is left, its attempts are lost.
    InThisProcess,
    /// Executors live on their own: their attempts may still end.
    Elsewhere,
}

/// The driver.
#[derive(Clone)]
pub struct Driver {
    /// The builds it commands.
    pub builds: Arc<Builds>,
    /// The log it follows.
    pub store: Arc<dyn EventStore>,
    /// Where it finds open builds at start.
    pub read_models: Arc<dyn ReadModels>,
    /// Where it offers work.
    pub queue: Arc<dyn TaskQueue>,
    /// Where reports come from.
    pub outcomes: Arc<dyn OutcomeBus>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Who holds running attempts.
    pub executors: Executors,
}

impl Driver {
    /// Recovers, then drives until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let (timers, due) = timers::start(Arc::clone(&self.clock), stop.clone());
        let Some(from) = self.recover(&timers, &stop).await else { return };
        tokio::join!(
            self.follow_events(from, &timers, &stop),
            self.follow_reports(&stop),
            self.follow_timers(&timers, due, &stop),
        );
    }
}
