//! Follows the log: effects happen only after the events that ask for them are stored.

use crate::{
    Driver, Pause,
    admission::{Key, Place, UnknownBuild, requirements},
    desk::Desk,
    news::{News, news_in},
    timers::Due,
};
use domain::BuildId;
use ports::{Position, StoreError};
use tokio_util::sync::CancellationToken;

/// Most events looked at together.
const BATCH: usize = 1_000;

impl Driver {
    pub(crate) async fn follow_events(&self, from: Position, desk: &Desk, stop: &CancellationToken) {
        let mut head = self.store.head();
        let mut at = from;
        let mut pause = Pause::FIRST;
        loop {
            head.borrow_and_update();
            if let Err(error) = self.effects_after(&mut at, desk).await {
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

    async fn effects_after(&self, at: &mut Position, desk: &Desk) -> Result<(), StoreError> {
        loop {
            let events = self.store.read_all(*at, BATCH).await?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                self.builds.hear(&event);
                if let (Some(build), Some(news)) = (event.stream.build(), news_in(&event)) {
                    desk.admission().hear(build, event.version);
                    leave_unreadable(build, self.take_note(build, news, desk).await)?;
                }
                *at = event.position;
            }
            desk.ring();
        }
    }

    async fn take_note(&self, build: BuildId, news: News, desk: &Desk) -> Result<(), StoreError> {
        match news {
            News::Opened { place, deadline } => {
                desk.admission().open(build, place, Default::default());
                if let Some(at) = deadline {
                    desk.timers.arm(Due::Deadline(build), at);
                }
            }
            News::Planned(requires) => desk.admission().planned(build, requires),
            News::Scheduled { work, attempt, not_before } => match not_before {
                Some(at) if at > self.clock.now() => {
                    desk.timers.arm(Due::Attempt((build, work, attempt)), at);
                }
                _ => self.schedule((build, work, attempt), desk).await?,
            },
            News::Started { work, attempt } => desk.admission().start((build, work, attempt)),
            News::Over { work, attempt } => desk.admission().end((build, work, attempt)),
            News::Lost { work, attempt } => {
                desk.admission().end((build, work, attempt));
                self.queue.revoke(build, work, attempt);
            }
            // All of its work has ended, and nothing of it is in the queue.
            News::Completed => {
                desk.admission().close(build);
                desk.timers.disarm_deadline(build);
            }
            News::Stopped => {
                desk.admission().close(build);
                desk.timers.disarm_deadline(build);
                self.queue.forget(build);
            }
        }
        Ok(())
    }

    /// Puts an attempt in line.
    pub(crate) async fn schedule(&self, key: Key, desk: &Desk) -> Result<(), StoreError> {
        let scheduled = desk.admission().schedule(key);
        if scheduled == Err(UnknownBuild) && self.get_to_know(key.0, desk).await? {
            // If it is over by now, that is fine too.
            let _ = desk.admission().schedule(key);
        }
        Ok(())
    }

    /// Looks up a build of whose beginning nothing was heard; false if there is no such build or it is over.
    async fn get_to_know(&self, build: BuildId, desk: &Desk) -> Result<bool, StoreError> {
        let known = self.builds.read(build, |loaded| {
            let spec = loaded.build.spec.as_deref().filter(|_| !loaded.build.status.is_terminal())?;
            let requires = loaded.build.plan.as_deref().map(requirements);
            Some((Place::of(spec), requires.unwrap_or_default()))
        });
        let Some((place, requires)) = known.await?.flatten() else { return Ok(false) };
        desk.admission().open(build, place, requires);
        Ok(true)
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
