//! Delivers events to webhook endpoints: at least once, signed, tried again for days, and so that no endpoint keeps
//! another waiting.
//!
//! | file | what |
//! |---|---|
//! | `line` | the deliveries of one endpoint: what is sent next, what waits; pure |
//! | `verdict` | what an attempt means for its delivery; pure |
//! | `bucket` | how much an endpoint wants within a second; pure |
//! | `round` | delivering to one endpoint: reads, sends, stores, and leaves |
//! | `directory` | which endpoints there are, as the log says |
//! | `leaving` | when an endpoint that was made for one build has nothing more to be told |
//! | `terms` | all that happens only in the replica that leads |
//! | `upkeep` | old deliveries are removed, unfinished ones counted |
//! | `sender`, `message` | what is sent, signed |
//! | `facts` | project and labels of builds |
//! | `gauges` | what a courier tells of itself |
//! | `settings` | everything that can be set |
//!
//! Results are stored after they are known and in batches, together with how far the endpoint has come. Whatever a
//! crash takes is sent again, under the same id.

mod bucket;
mod directory;
mod facts;
mod gauges;
mod leaving;
mod line;
mod message;
mod round;
mod sender;
mod settings;
mod terms;
mod upkeep;
mod verdict;

pub use gauges::{Gauges, Snapshot};
pub use sender::Sender;
pub use settings::Settings;

use endpoints::Endpoints;
use ports::{Deliveries, EndpointList, EventStore, Leadership, ReadModels};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Waits between tries of something that failed: longer ones each time.
struct Pause(Duration);

impl Pause {
    const FIRST: Self = Self(Duration::from_millis(100));
    const LONGEST: Duration = Duration::from_secs(30);

    /// Waits before the next try; cut short when told to stop.
    async fn wait(&mut self, stop: &CancellationToken) {
        let _ = tokio::time::timeout(self.0, stop.cancelled()).await;
        self.0 = (self.0 * 2).min(Self::LONGEST);
    }
}

/// The courier.
#[derive(Clone)]
pub struct Courier {
    /// The log it follows.
    pub store: Arc<dyn EventStore>,
    /// How far the list of endpoints has come.
    pub read_models: Arc<dyn ReadModels>,
    /// Where it finds endpoints at start.
    pub list: Arc<dyn EndpointList>,
    /// Endpoints one by one, and commands to them.
    pub endpoints: Arc<Endpoints>,
    /// What became of deliveries.
    pub deliveries: Arc<dyn Deliveries>,
    /// Signs and sends.
    pub sender: Sender,
    /// Which of the replicas delivers.
    pub leadership: Arc<dyn Leadership>,
    /// How it is done.
    pub settings: Settings,
    /// What it tells of itself.
    pub gauges: Gauges,
}

impl Courier {
    /// Delivers whenever it leads, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        terms::lead(&self, &stop).await;
    }
}
