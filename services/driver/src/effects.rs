//! Follows the log: effects happen only after the events that ask for them are stored.

use crate::{
    AGAIN, Driver, Pause,
    orders::{Waiting, waiting},
    timers::{Due, Timers},
};
use commands::ExecuteError;
use domain::{
    BuildId,
    build::{Attempt, BuildEvent, Command, Work},
};
use ports::{BusError, Position, RecordedEvent, StoreError};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most events looked at together.
const BATCH: usize = 1_000;

/// What an event asks for.
enum Effect {
    Offer { work: Work, attempt: Attempt },
    ArmDeadline,
    End,
}

impl Driver {
    pub(crate) async fn follow_events(&self, from: Position, timers: &Timers, stop: &CancellationToken) {
        let mut head = self.store.head();
        let mut at = from;
        let mut pause = Pause::FIRST;
        loop {
            head.borrow_and_update();
            if let Err(error) = self.effects_after(&mut at, timers).await {
                if stop.is_cancelled() || matches!(error, StoreError::Closed) {
                    return;
                }
                tracing::error!(%error, "effects wait for the store");
                pause.wait(stop).await;
                head.mark_changed();
            } else {
                pause = Pause::FIRST;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = head.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn effects_after(&self, at: &mut Position, timers: &Timers) -> Result<(), StoreError> {
        loop {
            let events = self.store.read_all(*at, BATCH).await?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                if let Some(effect) = effect_of(&event) {
                    let build = event.stream.build();
                    leave_unreadable(build, self.perform(build, effect, timers).await)?;
                }
                *at = event.position;
            }
        }
    }

    async fn perform(&self, build: BuildId, effect: Effect, timers: &Timers) -> Result<(), StoreError> {
        match effect {
            Effect::Offer { work, attempt } => self.offer(build, work, attempt, timers).await,
            Effect::ArmDeadline => {
                if let Some(Some(at)) = self.builds.read(build, |loaded| loaded.build.deadline()).await? {
                    timers.arm(Due::Deadline(build), at);
                }
                Ok(())
            }
            Effect::End => {
                timers.disarm_deadline(build);
                self.queue.forget(build);
                Ok(())
            }
        }
    }

    /// Offers an attempt, if it still waits to be taken up; sets a timer, if it is not time yet.
    pub(crate) async fn offer(
        &self,
        build: BuildId,
        work: Work,
        attempt: Attempt,
        timers: &Timers,
    ) -> Result<(), StoreError> {
        let (due, now) = (Due::Attempt(build, work, attempt), self.clock.now());
        let waiting = self.builds.read(build, |loaded| waiting(build, loaded, work, attempt, now)).await?;
        match waiting.flatten() {
            None => {}
            Some(Waiting::Until(at)) => timers.arm(due, at),
            Some(Waiting::For(order)) => match self.queue.offer(*order).await {
                Ok(_) => {}
                Err(BusError::Closed) => return Err(StoreError::Closed),
                // Nothing else waits for it, least of all the end of a build, which makes room.
                Err(error) => {
                    tracing::debug!(build.id = %build, %work, %error, "an offer is made again later");
                    timers.arm(due, now + AGAIN);
                }
            },
        }
        Ok(())
    }

    pub(crate) async fn follow_timers(
        &self,
        timers: &Timers,
        mut due: mpsc::UnboundedReceiver<Due>,
        stop: &CancellationToken,
    ) {
        loop {
            let due = tokio::select! {
                () = stop.cancelled() => return,
                due = due.recv() => match due { Some(due) => due, None => return },
            };
            let mut pause = Pause::FIRST;
            while let Err(error) = self.meet(due, timers).await {
                if stop.is_cancelled() || matches!(error, StoreError::Closed) {
                    return;
                }
                tracing::error!(%error, "a timer waits for the store");
                pause.wait(stop).await;
            }
        }
    }

    /// A timer runs on the monotonic clock, and not longer than a day: by the clock that deciding goes by it
    /// may be early.
    async fn meet(&self, due: Due, timers: &Timers) -> Result<(), StoreError> {
        match due {
            Due::Attempt(build, work, attempt) => {
                leave_unreadable(build, self.offer(build, work, attempt, timers).await)
            }
            Due::Deadline(build) => leave_unreadable(build, self.expire(build, timers).await),
        }
    }

    async fn expire(&self, build: BuildId, timers: &Timers) -> Result<(), StoreError> {
        let at = self.clock.now();
        let deadline = self.builds.read(build, |loaded| loaded.build.deadline()).await?.flatten();
        if let Some(deadline) = deadline.filter(|deadline| *deadline > at) {
            timers.arm(Due::Deadline(build), deadline);
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

/// A build of which something cannot be read stands still; the others must not.
pub(crate) fn leave_unreadable(build: BuildId, result: Result<(), StoreError>) -> Result<(), StoreError> {
    match result {
        Err(StoreError::Corrupt(error)) => {
            tracing::error!(build.id = %build, %error, "a build that cannot be read is left alone");
            Ok(())
        }
        other => other,
    }
}

/// Only types that ask for something are decoded.
fn effect_of(event: &RecordedEvent) -> Option<Effect> {
    match &*event.kind {
        "build_submitted" => return Some(Effect::ArmDeadline),
        "build_completed" | "build_failed" | "build_cancelled" => return Some(Effect::End),
        "planning_scheduled" | "task_scheduled" | "merge_scheduled" => {}
        _ => return None,
    }
    match event.build_event() {
        Ok(BuildEvent::PlanningScheduled(e)) => Some(Effect::Offer { work: Work::Plan, attempt: e.attempt }),
        Ok(BuildEvent::TaskScheduled(e)) => {
            Some(Effect::Offer { work: Work::Task(e.task), attempt: e.attempt })
        }
        Ok(BuildEvent::MergeScheduled(e)) => Some(Effect::Offer { work: Work::Merge, attempt: e.attempt }),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(position = %event.position, %error, "an event that schedules work cannot be read");
            None
        }
    }
}
