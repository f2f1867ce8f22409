//! At start: what was open is offered again, and what nobody holds any more is declared lost.

use crate::{
    Driver, Executors, Pause,
    effects::leave_unreadable,
    timers::{Due, Timers},
};
use domain::{
    BuildId,
    build::{Attempt, Command, Phase, Work},
};
use ports::{Position, StoreError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Most builds looked up at once.
const PAGE: usize = 500;

impl Driver {
    /// Sees to every open build and returns the position from which the log must be followed. `None` when
    /// told to stop before it was done.
    pub(crate) async fn recover(&self, timers: &Timers, stop: &CancellationToken) -> Option<Position> {
        let mut pause = Pause::FIRST;
        loop {
            match self.try_recover(timers, stop).await {
                Ok(from) => return Some(from),
                Err(StoreError::Closed) => return None,
                Err(error) => tracing::error!(%error, "recovery waits for the store"),
            }
            pause.wait(stop).await;
            if stop.is_cancelled() {
                return None;
            }
        }
    }

    async fn try_recover(&self, timers: &Timers, stop: &CancellationToken) -> Result<Position, StoreError> {
        let from = *self.store.head().borrow();
        let mut projected = self.read_models.projected();
        tokio::select! {
            () = stop.cancelled() => return Err(StoreError::Closed),
            seen = projected.wait_for(|upto| *upto >= from) => { seen.map_err(|_| StoreError::Closed)?; }
        }
        let mut after = None;
        loop {
            let page = self.read_models.open_builds(after, PAGE).await?;
            for &build in &page {
                leave_unreadable(build, self.recover_build(build, timers).await)?;
            }
            match page.last() {
                Some(&last) if page.len() == PAGE => after = Some(last),
                _ => return Ok(from),
            }
        }
    }

    async fn recover_build(&self, build: BuildId, timers: &Timers) -> Result<(), StoreError> {
        let open = self.builds.read(build, |loaded| {
            let work: Vec<(Work, Attempt, Phase)> = loaded
                .build
                .open_work()
                .map(|(work, track)| (work, Attempt(track.attempt), track.phase.clone()))
                .collect();
            (loaded.build.deadline(), work)
        });
        let Some((deadline, work)) = open.await? else { return Ok(()) };
        if let Some(at) = deadline {
            timers.arm(Due::Deadline(build), at);
        }
        for (work, attempt, phase) in work {
            match phase {
                Phase::Scheduled(_) => self.offer(build, work, attempt, timers).await?,
                Phase::Running(_) if self.executors == Executors::InThisProcess => {
                    self.lose(build, work, attempt).await?;
                }
                Phase::Running(_) | Phase::Idle | Phase::Abandoned => {}
            }
        }
        Ok(())
    }

    /// The events that this leads to lie behind the position that recovery returns, so following the log
    /// offers the next attempt.
    async fn lose(&self, build: BuildId, work: Work, attempt: Attempt) -> Result<(), StoreError> {
        let lose = Command::Lose { work, attempt, at: self.clock.now() };
        match self.builds.execute(build, Arc::from("driver"), lose).await {
            Ok(_) | Err(commands::ExecuteError::Rejected(_)) => Ok(()),
            Err(error) => Err(StoreError::Unavailable(Box::new(error))),
        }
    }
}
