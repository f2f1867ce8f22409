//! The loop: as much work at once as there are slots, until it is told to end.

use crate::{
    Identity, Reporting, Settings, Worker,
    gate::{Gate, Pass},
    presence::{Announcer, Presence},
    shift::Shift,
};
use ports::{Clock, Lease, Roster, TaskQueue};
use std::sync::Arc;
use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An executor.
#[derive(Clone)]
pub struct Executor {
    /// Who it is.
    pub identity: Identity,
    /// Bounds and times.
    pub settings: Settings,
    /// Where it takes work.
    pub queue: Arc<dyn TaskQueue>,
    /// Where it reports.
    pub reporting: Reporting,
    /// Where it tells that it is there.
    pub roster: Arc<dyn Roster>,
    /// How work is done.
    pub worker: Arc<dyn Worker>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// How an executor is told to end.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// Take nothing new. What runs may finish for a time of grace; what still runs then is stopped, reported as
    /// lost and so begun again elsewhere at once.
    pub drain: CancellationToken,
    /// Stop what runs, now, and report nothing of it. Orders go back to the queue.
    pub stop: CancellationToken,
}

impl Signals {
    /// Nobody drains it: it can only be stopped.
    #[must_use]
    pub fn only_stop(stop: CancellationToken) -> Self {
        Self { drain: CancellationToken::new(), stop }
    }
}

impl Executor {
    /// Works until told to end, or until the bus is closed. When it returns, nothing of it is left.
    pub async fn run(self, signals: Signals) {
        let gate = Gate::new(self.settings.breaker.clone(), Arc::clone(&self.clock));
        let presence = Presence::new(Arc::clone(&self.clock));
        let announcer = Announcer::new(
            self.identity.clone(),
            &self.settings,
            Arc::clone(&self.roster),
            Arc::clone(&presence),
            gate.shown(),
        );
        let gone = CancellationToken::new();
        let announcing = tokio::spawn(announcer.run(gone.clone()));
        let shift = Arc::new(Shift::new(self, Arc::clone(&presence), signals));
        let at_work = TaskTracker::new();
        take_orders(&shift, &gate, &at_work).await;
        presence.draining();
        wind_up(&shift, &at_work).await;
        let Shift { executor, signals, .. } = &*shift;
        tokio::select! {
            () = executor.reporting.close(executor.settings.farewell) => {}
            () = signals.stop.cancelled() => executor.reporting.close(std::time::Duration::ZERO).await,
        }
        gone.cancel();
        if let Err(error) = announcing.await {
            tracing::error!(%error, "what tells the roster died");
        }
    }
}

/// Every slot takes its own orders: a queue that is asked for one after the other gives out no faster than it
/// answers.
async fn take_orders(shift: &Arc<Shift>, gate: &Arc<Gate>, at_work: &TaskTracker) {
    for _ in 0..shift.executor.settings.slots {
        at_work.spawn(work_in_one_slot(Arc::clone(shift), Arc::clone(gate)));
    }
    shift.takes_no_more().await;
}

async fn work_in_one_slot(shift: Arc<Shift>, gate: Arc<Gate>) {
    loop {
        let next = tokio::select! {
            biased;
            () = shift.takes_no_more() => return,
            next = next_order(&shift, &gate) => next,
        };
        match next {
            Next::Order(lease, pass) => shift.serve(lease, pass).await,
            Next::BreakerOpened => {}
            Next::BusClosed => return shift.bus_is_closed(),
        }
    }
}

enum Next {
    Order(Box<dyn Lease>, Pass),
    BreakerOpened,
    BusClosed,
}

async fn next_order(shift: &Shift, gate: &Arc<Gate>) -> Next {
    let pass = gate.pass().await;
    tokio::select! {
        biased;
        // What is taken while the breaker is open would be an attempt spent.
        () = gate.shut() => Next::BreakerOpened,
        lease = shift.executor.queue.take() => match lease {
            Ok(lease) => Next::Order(lease, pass),
            Err(_) => Next::BusClosed,
        },
    }
}

/// Lets what runs finish, for a while, and sees to the end of the rest.
async fn wind_up(shift: &Shift, at_work: &TaskTracker) {
    at_work.close();
    let grace_is_over = async {
        shift.signals.drain.cancelled().await;
        sleep(shift.executor.settings.grace).await;
    };
    tokio::select! {
        () = at_work.wait() => return,
        () = grace_is_over => {}
        () = shift.signals.stop.cancelled() => {}
    }
    shift.hand_back.cancel();
    at_work.wait().await;
}
