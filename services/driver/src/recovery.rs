//! At the beginning of a term: what was open is offered again, and what nobody holds any more is declared lost.

use crate::{
    Driver, Executors, Pause,
    admission::{Place, Requirements, requirements},
    desk::Desk,
    effects::leave_unreadable,
    news::{News, withdrawal_in},
    timers::Due,
};
use chrono::{DateTime, Utc};
use commands::{ExecuteError, Loaded};
use domain::{
    BuildId,
    build::{Attempt, Command, Phase, Work},
};
use futures::StreamExt;
use ports::{Position, StoreError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Most builds looked up at once.
const PAGE: usize = 500;
/// Most events looked at together.
const BATCH: usize = 1_000;

/// What a leader has to know of a build.
struct Found {
    place: Place,
    requires: Requirements,
    deadline: Option<DateTime<Utc>>,
    work: Vec<(Work, Attempt, Phase)>,
}

impl Found {
    fn of(loaded: &Loaded) -> Option<Self> {
        let build = &loaded.build;
        let attempts =
            build.open_work().map(|(work, track)| (work, Attempt(track.attempt), track.phase.clone()));
        Some(Self {
            place: Place::of(build.spec.as_deref().filter(|_| !build.status.is_terminal())?),
            requires: build.plan.as_deref().map(requirements).unwrap_or_default(),
            deadline: build.deadline(),
            work: attempts.collect(),
        })
    }
}

impl Driver {
    /// Sees to every open build and returns the position from which the log must be followed. `None` when
    /// told to stop before it was done.
    pub(crate) async fn recover(&self, desk: &Desk, stop: &CancellationToken) -> Option<Position> {
        let mut pause = Pause::FIRST;
        loop {
            match self.try_recover(desk, stop).await {
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

    async fn try_recover(&self, desk: &Desk, stop: &CancellationToken) -> Result<Position, StoreError> {
        let from = *self.store.head().borrow();
        let mut projected = self.read_models.projected();
        tokio::select! {
            () = stop.cancelled() => return Err(StoreError::Closed),
            seen = projected.wait_for(|upto| *upto >= from) => { seen.map_err(|_| StoreError::Closed)?; }
        }
        if self.executors == Executors::Elsewhere {
            self.withdraw_again(from).await?;
        }
        let mut after = None;
        loop {
            let page = self.read_models.open_builds(after, PAGE).await?;
            let read = |build| async move { (build, self.builds.read(build, Found::of).await) };
            let mut builds =
                futures::stream::iter(page.clone()).map(read).buffered(self.settings.reads_at_once.max(1));
            while let Some((build, found)) = builds.next().await {
                if stop.is_cancelled() {
                    return Err(StoreError::Closed);
                }
                let seen_to = async {
                    match found?.flatten() {
                        Some(found) => self.recover_build(build, found, desk).await,
                        None => Ok(()),
                    }
                };
                leave_unreadable(build, seen_to.await)?;
            }
            desk.ring();
            match page.last() {
                Some(&last) if page.len() == PAGE => after = Some(last),
                _ => return Ok(from),
            }
        }
    }

    /// The leader before may have died between an event and its effect. Offers are made again from the state of
    /// open builds; what has to be withdrawn only the log knows.
    async fn withdraw_again(&self, upto: Position) -> Result<(), StoreError> {
        let mut at = Position(upto.0.saturating_sub(self.settings.overlap));
        while at < upto {
            let events = self.store.read_all(at, BATCH).await?;
            let Some(last) = events.last() else { break };
            at = last.position;
            for event in events {
                let Some(build) = event.stream.build() else { continue };
                match withdrawal_in(&event) {
                    Some(News::Stopped) => self.queue.forget(build),
                    Some(News::Lost { work, attempt }) => self.queue.revoke(build, work, attempt),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn recover_build(&self, build: BuildId, found: Found, desk: &Desk) -> Result<(), StoreError> {
        let Found { place, requires, deadline, work } = found;
        desk.admission().open(build, place, requires);
        if let Some(at) = deadline {
            desk.timers.arm(Due::Deadline(build), at);
        }
        let now = self.clock.now();
        for (work, attempt, phase) in work {
            let key = (build, work, attempt);
            match phase {
                Phase::Scheduled(Some(at)) if at > now => desk.timers.arm(Due::Attempt(key), at),
                Phase::Scheduled(_) => self.schedule(key, desk).await?,
                Phase::Running(_) if self.executors == Executors::InThisProcess => {
                    self.lose(build, work, attempt).await?;
                }
                Phase::Running(_) => desk.admission().start(key),
                Phase::Idle | Phase::Abandoned => {}
            }
        }
        Ok(())
    }

    /// Declares an attempt lost. The events that this leads to lie behind the position from which the log is
    /// followed, so following it offers the next attempt.
    pub(crate) async fn lose(&self, build: BuildId, work: Work, attempt: Attempt) -> Result<(), StoreError> {
        let lose = Command::Lose { work, attempt, at: self.clock.now() };
        match self.builds.execute(build, Arc::from("driver"), lose).await {
            Ok(_) | Err(ExecuteError::Rejected(_)) => Ok(()),
            Err(error) => Err(StoreError::Unavailable(Box::new(error))),
        }
    }
}
