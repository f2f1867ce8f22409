//! What an attempt means for its delivery.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use ports::{AttemptError, Delivery, DeliveryAttempt, DeliveryStatus, Position};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use webhooks::{Reply, Schedule};

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempted {
    pub(crate) at: DateTime<Utc>,
    pub(crate) took: Duration,
    pub(crate) status: Option<u16>,
    /// Why it failed, unless the status says so.
    pub(crate) error: Option<AttemptError>,
    pub(crate) message: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) retry_after: Option<Duration>,
}

impl Attempted {
    /// What the receiver means.
    pub(crate) fn reply(&self) -> Reply {
        match (self.error, self.status) {
            (None, Some(status)) => Reply::of(status),
            _ => Reply::Failed,
        }
    }

    /// Why it failed, if it did.
    pub(crate) fn why(&self) -> Option<AttemptError> {
        self.error.or((self.reply() != Reply::Delivered).then_some(AttemptError::Status))
    }

    /// As it is kept of a delivery.
    pub(crate) fn kept(self, delivery: &Delivery) -> DeliveryAttempt {
        self.kept_of(delivery.id.position, delivery.attempts)
    }

    /// As it is kept, under a number.
    pub(crate) fn kept_of(self, position: Position, number: u32) -> DeliveryAttempt {
        DeliveryAttempt {
            position,
            number,
            at: self.at,
            took: self.took,
            status: self.status,
            error: self.why(),
            message: self.message,
            response_headers: self.headers,
            response_body: self.body,
        }
    }
}

/// The delivery after an attempt.
pub(crate) fn judge(
    before: Delivery,
    attempt: &Attempted,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Delivery {
    let tries = before.tries.saturating_add(1);
    let after = Delivery {
        attempts: before.attempts.saturating_add(1),
        tries,
        last_status: attempt.status,
        last_error: attempt.why(),
        ..before
    };
    if attempt.reply() == Reply::Delivered {
        return Delivery { status: DeliveryStatus::Delivered, next_at: None, ended_at: Some(now), ..after };
    }
    let done = usize::try_from(tries).unwrap_or(usize::MAX);
    match schedule.wait_after(done, attempt.retry_after, jitter(&after)) {
        Some(wait) => {
            let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(1));
            Delivery { status: DeliveryStatus::Pending, next_at: Some(now + wait), ended_at: None, ..after }
        }
        None => Delivery { status: DeliveryStatus::Dead, next_at: None, ended_at: Some(now), ..after },
    }
}

/// Spreads deliveries that failed together, without asking for chance.
fn jitter(delivery: &Delivery) -> u32 {
    let mut hasher = DefaultHasher::new();
    (delivery.id, delivery.attempts).hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}
