//! Turns committed events into effects, and what executors report into commands.
//!
//! | file | what |
//! |---|---|
//! | `outcomes` | from reports to commands, in every replica |
//! | `terms` | all else happens only in the replica that leads, for as long as it does |
//! | `recovery` | at the beginning of a term: what was open, and nobody holds any more |
//! | `effects`, `news` | follow the log: what may be taken up, what has ended |
//! | `admission`, `line` | what is let into the queue next; pure |
//! | `dispatch`, `orders` | offer it, with all that an executor needs |
//! | `timers`, `deadlines` | build deadlines and waits before retries |
//! | `sweep`, `absence` | look for what got lost on its way |
//! | `fleet` | how much the executors can take |
//! | `desk` | what these share during a term |
//! | `gauges` | what a driver tells of itself |
//! | `settings` | everything that can be set |
//!
//! The driver keeps nothing that it could not make again from the event store: whatever it loses, the next
//! leader's recovery offers again. What a leader does is harmless when two do it: an order offered twice is in
//! the queue once, an attempt lost twice is lost once, and the log decides.

mod absence;
mod admission;
mod deadlines;
mod desk;
mod dispatch;
mod effects;
mod fleet;
mod gauges;
mod line;
mod news;
mod orders;
mod outcomes;
mod recovery;
mod settings;
mod sweep;
mod terms;
mod timers;

pub use admission::Counts;
pub use gauges::{Gauges, Snapshot};
pub use settings::{Settings, Window};
pub use terms::Alone;

use commands::Builds;
use ports::{Clock, EventStore, Leadership, OutcomeBus, ReadModels, Roster, TaskQueue};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

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
    /// Executors are part of this process: none of an earlier one is left, its attempts are lost. Goes with
    /// [`Alone`].
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
    /// Which of the replicas gives out work.
    pub leadership: Arc<dyn Leadership>,
    /// Where executors tell how much they can take, if they do.
    pub roster: Option<Arc<dyn Roster>>,
    /// Who holds running attempts.
    pub executors: Executors,
    /// How work is given out.
    pub settings: Settings,
    /// What it tells of itself.
    pub gauges: Gauges,
}

impl Driver {
    /// Drives until told to stop: turns reports into commands, and gives out work whenever it leads.
    pub async fn run(self, stop: CancellationToken) {
        let recovered = CancellationToken::new();
        let reports = async {
            if self.executors == Executors::InThisProcess {
                // What executors of this process report is about attempts that a recovery which had to begin
                // again would declare lost.
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = recovered.cancelled() => {}
                }
            }
            self.follow_reports(&stop).await;
        };
        tokio::join!(reports, self.lead(&recovered, &stop));
    }
}
