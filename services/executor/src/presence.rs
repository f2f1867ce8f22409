//! What an executor tells the roster: who it is, and what it is at.

use crate::Settings;
use chrono::{DateTime, Utc};
use names::{ExecutorLabel, PoolName};
use ports::{
    BreakerState, Clock, ExecutorName, ExecutorState, ExecutorStatus, Roster, RunningWork, WorkOrder,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// Who an executor is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name, different at every start: attempts of an earlier process are not its own.
    pub name: ExecutorName,
    /// The version of Buildwright it runs.
    pub version: String,
    /// Whose work it takes.
    pub pool: PoolName,
    /// What tasks may ask for and it has.
    pub labels: Vec<ExecutorLabel>,
}

/// What an executor is at.
pub(crate) struct Presence {
    standing: watch::Sender<Standing>,
    clock: Arc<dyn Clock>,
}

struct Standing {
    running: BTreeMap<u64, RunningWork>,
    next: u64,
    state: ExecutorState,
}

impl Presence {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let standing = Standing { running: BTreeMap::new(), next: 0, state: ExecutorState::Working };
        Arc::new(Self { standing: watch::Sender::new(standing), clock })
    }

    /// It is at this attempt until the value is dropped.
    pub(crate) fn at(self: &Arc<Self>, order: &WorkOrder) -> AtWork {
        let since = self.clock.now();
        let work = RunningWork { build: order.build, work: order.work, attempt: order.attempt, since };
        let mut number = 0;
        self.standing.send_modify(|standing| {
            number = standing.next;
            standing.next += 1;
            standing.running.insert(number, work);
        });
        AtWork { presence: Arc::clone(self), number }
    }

    /// It takes nothing new.
    pub(crate) fn draining(&self) {
        self.standing.send_modify(|standing| standing.state = ExecutorState::Draining);
    }
}

/// That an executor is at an attempt.
pub(crate) struct AtWork {
    presence: Arc<Presence>,
    number: u64,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.presence.standing.send_modify(|standing| {
            standing.running.remove(&self.number);
        });
    }
}

/// Keeps the roster up to date.
pub(crate) struct Announcer {
    pub(crate) identity: Identity,
    pub(crate) slots: u32,
    pub(crate) heartbeat: Duration,
    pub(crate) gap: Duration,
    pub(crate) roster: Arc<dyn Roster>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) breaker: watch::Receiver<BreakerState>,
}

impl Announcer {
    pub(crate) fn new(
        identity: Identity,
        settings: &Settings,
        roster: Arc<dyn Roster>,
        presence: Arc<Presence>,
        breaker: watch::Receiver<BreakerState>,
    ) -> Self {
        let Settings { slots, heartbeat, announcement_gap: gap, .. } = *settings;
        Self { identity, slots, heartbeat, gap, roster, presence, breaker }
    }

    /// Announces until the executor is gone, then leaves.
    pub(crate) async fn run(mut self, gone: CancellationToken) {
        let started_at = self.presence.clock.now();
        let mut standing = self.presence.standing.subscribe();
        while !gone.is_cancelled() {
            let status = self.status(&standing.borrow_and_update(), started_at);
            let announced = Instant::now();
            // A roster that does not answer hears of it the next time.
            let _ = timeout(self.heartbeat, self.roster.announce(&status)).await;
            tokio::select! {
                () = gone.cancelled() => break,
                () = sleep(self.heartbeat) => continue,
                _ = standing.changed() => {}
                _ = self.breaker.changed() => {}
            }
            tokio::select! {
                () = gone.cancelled() => break,
                () = sleep_until(announced + self.gap) => {}
            }
        }
        // Whoever leaves without a word is taken off for its silence.
        let _ =
            timeout(self.heartbeat.min(Duration::from_secs(1)), self.roster.leave(&self.identity.name)).await;
    }

    fn status(&mut self, standing: &Standing, started_at: DateTime<Utc>) -> ExecutorStatus {
        let Identity { name, version, pool, labels } = self.identity.clone();
        ExecutorStatus {
            name,
            version,
            pool,
            labels,
            slots: self.slots,
            running: standing.running.values().copied().collect(),
            state: standing.state,
            breaker: self.breaker.borrow_and_update().clone(),
            started_at,
            seen_at: self.presence.clock.now(),
        }
    }
}
