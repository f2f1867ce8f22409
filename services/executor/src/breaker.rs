//! The circuit breaker before the model, as a value: when attempt after attempt fails because the model cannot
//! be used, nothing is taken for a while; then one attempt is tried, and decides.

use crate::BreakerSettings;
use domain::{Failure, FailureClass, build::Outcome};
use ports::{WorkKind, WorkOrder};
use std::time::Duration;
use tokio::time::Instant;

/// Counts failures and says whether an attempt may begin.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    state: State,
    /// How long it is open the next time it opens.
    cool_down: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// All is well, but for so many failures in a row.
    Closed { failures: u32 },
    /// Nothing may begin before this time.
    Open { until: Instant, reason: FailureClass },
    /// One attempt may be tried.
    HalfOpen,
    /// It is being tried.
    Trying,
}

/// What an attempt may begin as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of many.
    Ordinary,
    /// The one that decides.
    Trial,
}

/// Whether an attempt may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may; how it ends must be told.
    Granted(Kind),
    /// Not before this time.
    At(Instant),
    /// Not before the trial has ended.
    AfterTrial,
}

/// What the end of an attempt says of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered.
    Usable,
    /// It could not be used.
    Unusable(FailureClass),
    /// It was not asked, or did not get to answer.
    Unknown,
}

impl Verdict {
    pub(crate) fn of(order: &WorkOrder, outcome: &Outcome) -> Self {
        let asks = match &order.kind {
            WorkKind::Plan { .. } => true,
            WorkKind::Task { task, .. } => task.task_type.uses_model(),
            WorkKind::Merge { .. } => false,
        };
        match &outcome.result {
            _ if !asks => Self::Unknown,
            Ok(_) => Self::Usable,
            Err(Failure { class, .. }) => Self::of_failure(*class),
        }
    }

    fn of_failure(class: FailureClass) -> Self {
        match class {
            FailureClass::ModelError | FailureClass::RateLimited | FailureClass::Credential => {
                Self::Unusable(class)
            }
            // The model had its say; what it said was not enough.
            FailureClass::ModelRefused
            | FailureClass::TurnLimit
            | FailureClass::Budget
            | FailureClass::NoEvidence
            | FailureClass::CheckFailed
            | FailureClass::InvalidPlan => Self::Usable,
            FailureClass::Timeout
            | FailureClass::Crashed
            | FailureClass::CommandFailed
            | FailureClass::MergeConflict
            | FailureClass::Repository
            | FailureClass::Resource
            | FailureClass::Lost
            | FailureClass::Internal => Self::Unknown,
        }
    }
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings) -> Self {
        let cool_down = settings.cool_down;
        Self { settings, state: State::Closed { failures: 0 }, cool_down }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Whether an attempt may begin now.
    pub(crate) fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Granted(Kind::Ordinary),
            State::Open { until, .. } if now < until => Admission::At(until),
            State::Open { .. } | State::HalfOpen => {
                self.state = State::Trying;
                Admission::Granted(Kind::Trial)
            }
            State::Trying => Admission::AfterTrial,
        }
    }

    /// An admitted attempt has ended. Those that were begun before it opened decide nothing afterwards.
    pub(crate) fn ended(&mut self, kind: Kind, verdict: Verdict, now: Instant) {
        match (kind, self.state, verdict) {
            (Kind::Trial, _, Verdict::Usable) => {
                self.state = State::Closed { failures: 0 };
                self.cool_down = self.settings.cool_down;
            }
            (Kind::Trial, _, Verdict::Unusable(reason)) => self.open(reason, now),
            (Kind::Trial, _, Verdict::Unknown) => self.state = State::HalfOpen,
            (Kind::Ordinary, State::Closed { .. }, Verdict::Usable) => {
                self.state = State::Closed { failures: 0 };
            }
            (Kind::Ordinary, State::Closed { failures }, Verdict::Unusable(reason)) => {
                let failures = failures.saturating_add(1);
                match self.settings.threshold {
                    Some(threshold) if failures >= threshold.get() => self.open(reason, now),
                    _ => self.state = State::Closed { failures },
                }
            }
            (Kind::Ordinary, ..) => {}
        }
    }

    fn open(&mut self, reason: FailureClass, now: Instant) {
        self.state = State::Open { until: now + self.cool_down, reason };
        self.cool_down = self.cool_down.saturating_mul(2).min(self.settings.longest_cool_down);
    }
}

#[cfg(test)]
mod tests;
