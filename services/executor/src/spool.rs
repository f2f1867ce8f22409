//! Reports of ended attempts, kept on disk until the driver confirms that they are in the event store.
//!
//! However the bus, the driver or this process fail, a report that was written once is published until it is
//! confirmed. The broker's durability decides how soon that is, not whether.

mod folder;

use crate::SpoolSettings;
use folder::{Folder, Kept};
use ports::{BusError, Confirmation, OutcomeBus, OutcomeReport};
use std::{io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A spool before a bus. Clones are the same spool.
#[derive(Clone)]
pub struct OutcomeSpool(Arc<Shared>);

struct Shared {
    folder: Folder,
    bus: Arc<dyn OutcomeBus>,
    settings: SpoolSettings,
    room: Arc<Semaphore>,
    publishing: TaskTracker,
    closed: CancellationToken,
}

/// Told once whether the bus has a report.
type Taken = oneshot::Sender<Result<(), BusError>>;

impl OutcomeSpool {
    /// Opens a spool and begins to publish what an earlier process left in it.
    ///
    /// # Errors
    /// If the folder cannot be made or listed.
    pub async fn open(
        folder: PathBuf,
        bus: Arc<dyn OutcomeBus>,
        settings: SpoolSettings,
    ) -> io::Result<Self> {
        let (folder, left) = Folder::open(folder).await?;
        let shared = Shared {
            folder,
            bus,
            room: Arc::new(Semaphore::new(settings.unconfirmed.max(1))),
            settings,
            publishing: TaskTracker::new(),
            closed: CancellationToken::new(),
        };
        let spool = Self(Arc::new(shared));
        if !left.is_empty() {
            tracing::info!(reports = left.len(), "reports of an earlier process are published again");
            spool.0.spawn(Arc::clone(&spool.0).publish_again(left));
        }
        Ok(spool)
    }

    /// The bus behind it.
    pub(crate) fn bus(&self) -> &dyn OutcomeBus {
        self.0.bus.as_ref()
    }

    /// Keeps a report and publishes it; returns when the bus has it. From then on it is published again by
    /// itself until it is confirmed. If the disk takes it not, it is kept in memory only.
    ///
    /// # Errors
    /// If the bus is closed, or never takes a report of that size.
    pub async fn report(&self, report: OutcomeReport) -> Result<(), BusError> {
        let kept = match self.0.folder.keep(&report).await {
            Ok(kept) => Some(kept),
            Err(error) => {
                let (build, work, attempt) = report.about();
                tracing::error!(%error, build.id = %build, %work, %attempt, "a report could not be spooled");
                None
            }
        };
        let Some(room) = self.0.room().await else { return Err(BusError::Closed) };
        let (taken, has_it) = oneshot::channel();
        self.0.spawn(Arc::clone(&self.0).publish(report, kept, Some(taken), room));
        has_it.await.unwrap_or(Err(BusError::Closed))
    }

    /// Waits until everything is confirmed, but no longer than this, and publishes nothing afterwards. What is
    /// not confirmed stays for the next start.
    pub async fn close(&self, within: Duration) {
        self.0.publishing.close();
        if timeout(within, self.0.publishing.wait()).await.is_err() {
            tracing::warn!(reports = self.0.publishing.len(), "unconfirmed reports stay in the spool");
        }
        self.0.closed.cancel();
        self.0.publishing.wait().await;
    }
}

impl Shared {
    /// Has something done until the spool is closed.
    fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let closed = self.closed.clone();
        self.publishing.spawn(async move { closed.run_until_cancelled(task).await });
    }

    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    async fn publish_again(self: Arc<Self>, left: Vec<Kept>) {
        for kept in left {
            let Some(room) = self.room().await else { return };
            if let Some(report) = self.folder.read(&kept).await {
                self.spawn(Arc::clone(&self).publish(report, Some(kept), None, room));
            }
        }
    }

    /// Publishes a report until it is confirmed.
    async fn publish(
        self: Arc<Self>,
        report: OutcomeReport,
        kept: Option<Kept>,
        mut taken: Option<Taken>,
        _room: OwnedSemaphorePermit,
    ) {
        let mut wait = self.settings.republish;
        loop {
            let said = self.bus.report(report.clone()).await;
            let confirmation = match said {
                Ok(confirmation) => {
                    tell(&mut taken, Ok(()));
                    Some(confirmation)
                }
                Err(BusError::Unavailable(error)) => {
                    tracing::warn!(%error, "a report waits for the bus");
                    None
                }
                Err(error @ BusError::Closed) => return tell(&mut taken, Err(error)),
                Err(error @ BusError::TooLarge { .. }) => {
                    tracing::error!(%error, about = ?report.about(), "a report is set aside");
                    if let Some(kept) = kept {
                        self.folder.set_aside(&kept).await;
                    }
                    return tell(&mut taken, Err(error));
                }
            };
            if confirmed(confirmation, wait).await {
                if let Some(kept) = kept {
                    self.folder.remove(kept).await;
                }
                return;
            }
            wait = wait.saturating_mul(2).min(self.settings.longest_republish);
            tracing::debug!(about = ?report.about(), "an unconfirmed report is published again");
        }
    }
}

fn tell(taken: &mut Option<Taken>, said: Result<(), BusError>) {
    if let Some(taken) = taken.take() {
        // Whoever reported may not wait any more.
        let _ = taken.send(said);
    }
}

/// Whether it is confirmed within this time, of which nothing is cut short: a bus that loses confirmations at
/// once must not be flooded.
async fn confirmed(confirmation: Option<Confirmation>, within: Duration) -> bool {
    let confirmed = async {
        match confirmation {
            Some(confirmation) => confirmation.granted().await,
            None => false,
        }
    };
    let all = async {
        if !confirmed.await {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = all => true,
        () = sleep(within) => false,
    }
}
