//! The breaker, as the loop passes it: waits until an attempt may begin, and is told how it ended.

use crate::{
    BreakerSettings,
    breaker::{Admission, Breaker, Kind, State, Verdict},
};
use domain::FailureClass;
use ports::{BreakerState, Clock};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Lets attempts begin while the model answers.
pub(crate) struct Gate {
    breaker: Mutex<Breaker>,
    shown: watch::Sender<BreakerState>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    pub(crate) fn new(settings: BreakerSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        let breaker = Mutex::new(Breaker::new(settings));
        Arc::new(Self { breaker, shown: watch::Sender::new(BreakerState::Closed), clock })
    }

    /// The breaker, for the roster.
    pub(crate) fn shown(&self) -> watch::Receiver<BreakerState> {
        self.shown.subscribe()
    }

    /// Waits until an attempt may begin.
    pub(crate) async fn pass(self: &Arc<Self>) -> Pass {
        let mut shown = self.shown.subscribe();
        loop {
            shown.borrow_and_update();
            match self.admit() {
                Admission::Granted(kind) => return Pass { gate: Arc::clone(self), kind, ended: false },
                Admission::At(time) => sleep_until(time).await,
                // It fails only without a sender, and that is here.
                Admission::AfterTrial => drop(shown.changed().await),
            }
        }
    }

    /// Waits until the breaker opens.
    pub(crate) async fn shut(&self) {
        let _ = self.shown.subscribe().wait_for(|state| matches!(state, BreakerState::Open { .. })).await;
    }

    fn admit(&self) -> Admission {
        let mut breaker = self.breaker();
        let admission = breaker.admit(Instant::now());
        self.show(&breaker);
        admission
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Nothing between two changes of the breaker can panic.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the breaker's lock: else an older state could be shown after a newer one.
    fn show(&self, breaker: &Breaker) {
        let state = match breaker.state() {
            State::Closed { .. } => BreakerState::Closed,
            State::HalfOpen | State::Trying => BreakerState::HalfOpen,
            State::Open { until, reason } => {
                let left = until.saturating_duration_since(Instant::now());
                BreakerState::Open { until: self.clock.now() + left, reason: name(reason) }
            }
        };
        self.shown.send_if_modified(|shown| {
            // The time of opening is computed anew: only another state is news.
            let news = std::mem::discriminant(shown) != std::mem::discriminant(&state);
            if news {
                tracing::warn!(breaker = ?state, "the breaker before the model changed");
                *shown = state;
            }
            news
        });
    }

    fn ended(&self, kind: Kind, verdict: Verdict) {
        let mut breaker = self.breaker();
        breaker.ended(kind, verdict, Instant::now());
        self.show(&breaker);
    }
}

/// The class, as clients know it.
fn name(class: FailureClass) -> String {
    match serde_json::to_value(class) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{class:?}"),
    }
}

/// The right to one attempt. Dropped, the attempt said nothing of the model.
pub(crate) struct Pass {
    gate: Arc<Gate>,
    kind: Kind,
    ended: bool,
}

impl Pass {
    /// How the attempt ended.
    pub(crate) fn ended(mut self, verdict: Verdict) {
        self.ended = true;
        self.gate.ended(self.kind, verdict);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.ended {
            self.gate.ended(self.kind, Verdict::Unknown);
        }
    }
}
