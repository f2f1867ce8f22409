//! From what executors report to commands. A report is never dropped because the store is away for a while.

use crate::{Driver, Pause};
use commands::ExecuteError;
use domain::{
    BuildId,
    build::{Attempt, Command, Rejection, Work},
};
use ports::{Answer, OutcomeReport, Received, StoreError};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Most reports taken at once.
const BATCH: usize = 512;
/// Most reports under way.
const UNDER_WAY: usize = 1_024;

impl Driver {
    pub(crate) async fn follow_reports(&self, stop: &CancellationToken) {
        let room = Arc::new(Semaphore::new(UNDER_WAY));
        let under_way = TaskTracker::new();
        loop {
            let reports = tokio::select! {
                () = stop.cancelled() => break,
                reports = self.outcomes.reports(BATCH) => match reports { Ok(reports) => reports, Err(_) => break },
            };
            for Received { report, receipt } in reports {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                let (build, work, attempt, actor, command) = self.command(report);
                // Posted here, in the order of arrival; the answer is waited for apart.
                let first = self.builds.post(build, Arc::clone(&actor), command.clone());
                let driver = self.clone();
                let stop = stop.clone();
                under_way.spawn(async move {
                    let answer = first.await;
                    let said = driver.settle(build, work, attempt, actor, command, answer, &stop).await;
                    if let Some(said) = said {
                        receipt.confirm(said).await;
                    }
                    drop(permit);
                });
            }
        }
        under_way.close();
        under_way.wait().await;
    }

    fn command(&self, report: OutcomeReport) -> (BuildId, Work, Attempt, Arc<str>, Command) {
        let at = self.clock.now();
        match report {
            OutcomeReport::Started { build, work, attempt, executor } => {
                let start = Command::Start { work, attempt, executor: executor.0.to_string(), at };
                (build, work, attempt, executor.0, start)
            }
            OutcomeReport::Finished { build, work, attempt, executor, outcome } => {
                (build, work, attempt, executor.0, Command::Finish { work, attempt, outcome, at })
            }
            OutcomeReport::Lost { build, work, attempt, executor } => {
                (build, work, attempt, executor.0, Command::Lose { work, attempt, at })
            }
        }
    }

    /// Sees a report through. Nothing is said of one that has to come again.
    #[expect(clippy::too_many_arguments, reason = "the parts of one report")]
    async fn settle(
        &self,
        build: BuildId,
        work: Work,
        attempt: Attempt,
        actor: Arc<str>,
        command: Command,
        mut answer: Result<commands::Executed, ExecuteError>,
        stop: &CancellationToken,
    ) -> Option<Answer> {
        let mut pause = Pause::FIRST;
        loop {
            match answer {
                Ok(_) => return Some(Answer::Accepted),
                Err(ExecuteError::Rejected(rejection)) => {
                    let over =
                        matches!(rejection, Rejection::Stale { .. } | Rejection::Ended | Rejection::Unknown);
                    if over && matches!(command, Command::Start { .. }) {
                        self.queue.revoke(build, work, attempt);
                    }
                    tracing::debug!(build.id = %build, %work, %attempt, %rejection, "report changed nothing");
                    return Some(Answer::Refused);
                }
                Err(ExecuteError::Store(error))
                    if stop.is_cancelled() || matches!(*error, StoreError::Closed) =>
                {
                    return None;
                }
                Err(ExecuteError::Store(error)) if matches!(*error, StoreError::Corrupt(_)) => {
                    tracing::error!(build.id = %build, %work, %attempt, %error, "a report is of no use any more");
                    return Some(Answer::Refused);
                }
                Err(error) => {
                    tracing::error!(build.id = %build, %work, %attempt, %error, "a report waits for the store");
                    pause.wait(stop).await;
                }
            }
            answer = self.builds.execute(build, Arc::clone(&actor), command.clone()).await;
        }
    }
}
