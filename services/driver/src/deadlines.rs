//! Meets what is due.

use crate::{Driver, Pause, desk::Desk, effects::leave_unreadable, timers::Due};
use commands::ExecuteError;
use domain::{BuildId, build::Command};
use ports::StoreError;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

impl Driver {
    pub(crate) async fn follow_timers(
        &self,
        desk: &Desk,
        mut due: mpsc::UnboundedReceiver<Due>,
        stop: &CancellationToken,
    ) {
        loop {
            let due = tokio::select! {
                () = stop.cancelled() => return,
                due = due.recv() => match due { Some(due) => due, None => return },
            };
            let mut pause = Pause::FIRST;
            while let Err(error) = self.meet(due, desk).await {
                if stop.is_cancelled() || matches!(error, StoreError::Closed) {
                    return;
                }
                tracing::error!(%error, "a timer waits for the store");
                pause.wait(stop).await;
            }
        }
    }

    /// A timer runs on the monotonic clock, and not longer than a day: by the clock that deciding goes by it
    /// may be early. An attempt is looked at again before it is offered.
    async fn meet(&self, due: Due, desk: &Desk) -> Result<(), StoreError> {
        match due {
            Due::Attempt(key) => leave_unreadable(key.0, self.schedule(key, desk).await)?,
            Due::Refused => desk.admission().try_again(),
            Due::Deadline(build) => return leave_unreadable(build, self.expire(build, desk).await),
        }
        desk.ring();
        Ok(())
    }

    /// Ends a build whose time is over.
    pub(crate) async fn expire(&self, build: BuildId, desk: &Desk) -> Result<(), StoreError> {
        let at = self.clock.now();
        let deadline = self.builds.read(build, |loaded| loaded.build.deadline()).await?.flatten();
        if let Some(deadline) = deadline.filter(|deadline| *deadline > at) {
            desk.timers.arm(Due::Deadline(build), deadline);
            return Ok(());
        }
        match self.builds.execute(build, Arc::from("driver"), Command::Expire { at }).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Rejected(rejection)) => {
                tracing::warn!(build.id = %build, %rejection, "a deadline had no effect");
                Ok(())
            }
            Err(error) => Err(StoreError::Unavailable(Box::new(error))),
        }
    }
}
