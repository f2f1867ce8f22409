//! Reports of ended attempts, kept on disk until the driver confirms that they are in the event store.
//!
//! However the bus, the driver or this process fail, a report that was written once is published until it is
//! confirmed. The broker's durability decides how soon that is, not whether.
//!
//! A report is in the hands of the operating system before it is published, and on the disk before its order is
//! settled; publishing doesn't wait for the disk. So whoever kills the process finds the report in the log, and
//! a machine that fails before the disk has it fails before the order is settled: that comes again.
//!
//! | file | what |
//! |---|---|
//! | `record` | a line of the log |
//! | `contents` | what a file of the log says when it is read again |
//! | `segment` | one file of the log |
//! | `log` | all of them: where reports go, and when a file can go |
//! | `writer` | the thread that writes, for all that report at the same time |
//! | `syncer` | the thread that makes durable, for all that wait for it |

mod contents;
mod log;
mod record;
mod segment;
mod syncer;
mod writer;

use crate::SpoolSettings;
use log::{Kept, Left, Log};
use ports::{BusError, Confirmation, OutcomeBus, OutcomeReport, WireError};
use std::{fs::File, io, path::PathBuf, sync::Arc, time::Duration};
use syncer::Flush;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use writer::{Durability, Writer};

/// A spool before a bus. Clones are the same spool.
#[derive(Clone)]
pub struct OutcomeSpool(Arc<Shared>);

struct Shared {
    writer: Writer,
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
    /// If the folder cannot be made or listed, or there can be no more threads.
    pub async fn open(
        folder: PathBuf,
        bus: Arc<dyn OutcomeBus>,
        settings: SpoolSettings,
    ) -> io::Result<Self> {
        Self::open_with(folder, bus, settings, File::sync_data).await
    }

    async fn open_with(
        folder: PathBuf,
        bus: Arc<dyn OutcomeBus>,
        settings: SpoolSettings,
        flush: impl Flush,
    ) -> io::Result<Self> {
        let segment_bytes = settings.segment_bytes;
        let (log, left) = spawn_blocking(move || Log::open(folder, segment_bytes)).await??;
        let unconfirmed = settings.unconfirmed.max(1);
        let shared = Shared {
            writer: Writer::start(log, unconfirmed, flush)?,
            bus,
            room: Arc::new(Semaphore::new(unconfirmed)),
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

    /// Keeps a report and publishes it; returns when the bus has it and it is durable. From then on it is
    /// published again by itself until it is confirmed. If the disk takes it not, it is kept in memory only.
    ///
    /// # Errors
    /// If the bus is closed, or never takes a report of that size.
    pub async fn report(&self, report: OutcomeReport) -> Result<(), BusError> {
        let (kept, durability) = self.0.keep(&report).await.unzip();
        let Some(room) = self.0.room().await else { return Err(BusError::Closed) };
        let (taken, has_it) = oneshot::channel();
        let about = report.about();
        self.0.spawn(Arc::clone(&self.0).publish(report, kept, Some(taken), room));
        has_it.await.unwrap_or(Err(BusError::Closed))?;
        if let Some(durability) = durability
            && let Err(error) = durability.wait().await
        {
            tracing::error!(%error, ?about, "a report in the spool may not outlast the machine");
        }
        Ok(())
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
        self.0.writer.tidy_up().await;
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

    async fn keep(&self, report: &OutcomeReport) -> Option<(Kept, Durability)> {
        let kept = self.writer.keep(report).await;
        let said = kept.inspect_err(|error| {
            let (build, work, attempt) = report.about();
            tracing::error!(%error, build.id = %build, %work, %attempt, "a report could not be spooled");
        });
        said.ok()
    }

    async fn publish_again(self: Arc<Self>, left: Vec<Left>) {
        for Left { kept, body } in left {
            let Some(room) = self.room().await else { return };
            match OutcomeReport::decode(&body) {
                Ok(report) => self.spawn(Arc::clone(&self).publish(report, Some(kept), None, room)),
                Err(error @ WireError::Newer(_)) => {
                    tracing::error!(%error, ?kept, "a report in the spool is left for a newer version");
                }
                Err(error) => {
                    tracing::error!(%error, ?kept, "a report in the spool cannot be read");
                    self.writer.set_aside(kept, body).await;
                }
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
                    if let (Some(kept), Ok(body)) = (kept, report.encode()) {
                        self.writer.set_aside(kept, body).await;
                    }
                    return tell(&mut taken, Err(error));
                }
            };
            if confirmed(confirmation, wait).await {
                if let Some(kept) = kept {
                    self.writer.forget(kept).await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        BuildId,
        build::{Attempt, Work},
    };
    use ports::{Answer, ExecutorName, Received};
    use std::sync::{Mutex, mpsc};

    /// A bus that has each report at once.
    struct Taking(tokio::sync::mpsc::UnboundedSender<Answer>);

    #[async_trait::async_trait]
    impl OutcomeBus for Taking {
        async fn report(&self, _: OutcomeReport) -> Result<Confirmation, BusError> {
            self.0.send(Answer::Accepted).map_err(|_| BusError::Closed)?;
            Ok(Confirmation::pair().1)
        }

        async fn reports(&self, _: usize) -> Result<Vec<Received>, BusError> {
            Err(BusError::Closed)
        }
    }

    #[tokio::test]
    async fn a_report_is_published_before_it_is_durable_and_told_afterwards() {
        // Given a disk that takes its time
        let (finish, finished) = mpsc::channel();
        let finished = Mutex::new(finished);
        let flush = move |_: &File| finished.lock().unwrap().recv().map_err(io::Error::other);
        let folder = tempfile::tempdir().unwrap();
        let (taken, mut is_taken) = tokio::sync::mpsc::unbounded_channel();
        let (bus, settings) = (Arc::new(Taking(taken)), SpoolSettings::default());
        let spool = OutcomeSpool::open_with(folder.path().to_owned(), bus, settings, flush).await.unwrap();
        // When something is reported
        let lost = OutcomeReport::Lost {
            build: BuildId::new(ulid::Ulid(1)),
            work: Work::Plan,
            attempt: Attempt::FIRST,
            executor: ExecutorName("e1".into()),
        };
        let mut reporting = Box::pin(spool.report(lost));
        // Then the bus has it while the disk has not
        tokio::select! {
            biased;
            _ = &mut reporting => panic!("it is not durable yet"),
            taken = is_taken.recv() => assert!(taken.is_some()),
        }
        assert!(timeout(Duration::from_millis(50), &mut reporting).await.is_err(), "it is not durable yet");
        // and whoever reported goes on when both have.
        finish.send(()).unwrap();
        timeout(Duration::from_secs(20), reporting).await.unwrap().unwrap();
    }
}
