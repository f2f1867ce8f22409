//! Looks at every open build from time to time, for what got lost on its way.
//!
//! Every attempt of the event store that is not over has to be somewhere: here in line, in the queue, or with an
//! executor, for whom the queue keeps the order until it is settled. What is in none of these places for long is
//! lost, and the next attempt begins. It is a next attempt even if nobody seems to have begun this one: reports
//! may have been lost with the orders, and of one attempt there must never be two.

use crate::{
    Driver, Executors,
    absence::{Absences, Look},
    admission::{Key, Stage},
    desk::Desk,
    effects::leave_unreadable,
    orders::order,
};
use commands::Loaded;
use domain::{
    BuildId,
    build::{Attempt, Phase},
};
use ports::{BusError, StoreError, WorkOrder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most builds looked up at once.
const PAGE: usize = 500;

/// Why a look was not finished.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// An attempt that has to be somewhere.
struct Suspect {
    key: Key,
    phase: Phase,
    order: Option<Box<WorkOrder>>,
}

impl Driver {
    /// Sweeps until told to stop. Executors of this process take nothing with them that recovery does not find.
    pub(crate) async fn sweep(&self, desk: &Desk, stop: &CancellationToken) {
        if self.executors == Executors::InThisProcess {
            return;
        }
        let mut absences = Absences::default();
        let mut last = Instant::now();
        let interval = self.settings.sweep_interval;
        while tokio::time::timeout(interval, stop.cancelled()).await.is_err() {
            let began = Instant::now();
            let mut look = absences.look(began - last, interval * 2);
            last = began;
            match self.look_at_all(&mut look, desk, stop).await {
                Ok(()) => absences.keep(look),
                Err(error) => tracing::warn!(%error, "a sweep was interrupted"),
            }
            desk.ring();
        }
    }

    async fn look_at_all(
        &self,
        look: &mut Look,
        desk: &Desk,
        stop: &CancellationToken,
    ) -> Result<(), Interrupted> {
        let mut after = None;
        loop {
            let page = self.read_models.open_builds(after, PAGE).await?;
            for &build in &page {
                if stop.is_cancelled() {
                    return Ok(());
                }
                match self.look_at(build, look, desk).await {
                    Err(Interrupted::Store(error)) => leave_unreadable(build, Err(error))?,
                    looked => looked?,
                }
            }
            match page.last() {
                Some(&last) if page.len() == PAGE => after = Some(last),
                _ => return Ok(()),
            }
        }
    }

    async fn look_at(&self, build: BuildId, look: &mut Look, desk: &Desk) -> Result<(), Interrupted> {
        let found =
            self.builds.read(build, |loaded| (loaded.build.deadline(), suspects(build, loaded, desk)));
        let Some((deadline, suspects)) = found.await? else { return Ok(()) };
        if deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
            return Ok(self.expire(build, desk).await?);
        }
        for suspect in suspects {
            self.look_for(suspect, look, desk).await?;
        }
        Ok(())
    }

    async fn look_for(&self, suspect: Suspect, look: &mut Look, desk: &Desk) -> Result<(), Interrupted> {
        let Suspect { key, phase, order } = suspect;
        let Some(order) = order else {
            if let Phase::Scheduled(not_before) = phase
                && not_before.is_none_or(|at| at <= self.clock.now())
            {
                self.schedule(key, desk).await?;
            }
            return Ok(());
        };
        if self.queue.has(&order).await? {
            return Ok(());
        }
        let missing = look.missing(key);
        if missing >= self.settings.grace {
            let (build, work, attempt) = key;
            tracing::warn!(build.id = %build, %work, %attempt, ?missing, "an attempt is lost: nobody has its order");
            self.lose(build, work, attempt).await?;
        }
        Ok(())
    }
}

/// The attempts of a build that have to be looked for: in the queue those that come with their order, else here.
fn suspects(build: BuildId, loaded: &Loaded, desk: &Desk) -> Vec<Suspect> {
    let open = loaded.build.open_work().filter_map(|(work, track)| {
        let key = (build, work, Attempt(track.attempt));
        let in_queue = match (&track.phase, desk.admission().stage(key)) {
            (Phase::Running(_), _) | (_, Some(Stage::Offered | Stage::Running)) => true,
            (_, None) => false,
            (_, Some(Stage::Waiting | Stage::Admitted)) => return None,
        };
        let order = in_queue.then(|| order(build, loaded, work, key.2)).flatten();
        Some(Suspect { key, phase: track.phase.clone(), order })
    });
    open.collect()
}
