//! Spans of time as the file says them.

use serde::Deserialize;
use std::time::Duration;

/// So long; no clock overflows by it.
const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

/// A number of units of so many milliseconds, at least so many of them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Span<const UNIT: u64, const LEAST: u64>(Duration);

pub(super) type Milliseconds = Span<1, 1>;
pub(super) type Seconds = Span<1_000, 1>;
pub(super) type Hours = Span<3_600_000, 1>;
// Of these there may be none.
pub(super) type MillisecondsOrNone = Span<1, 0>;
pub(super) type SecondsOrNone = Span<1_000, 0>;
pub(super) type HoursOrNone = Span<3_600_000, 0>;

/// Why a number is no span.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpanError {
    #[error("must be at least {0}")]
    TooShort(u64),
    #[error("must not be more than a hundred years")]
    TooLong,
}

impl<const UNIT: u64, const LEAST: u64> TryFrom<u64> for Span<UNIT, LEAST> {
    type Error = SpanError;

    fn try_from(count: u64) -> Result<Self, SpanError> {
        if count < LEAST {
            return Err(SpanError::TooShort(LEAST));
        }
        let span = count.checked_mul(UNIT).map(Duration::from_millis);
        span.filter(|span| *span <= LONGEST).map(Self).ok_or(SpanError::TooLong)
    }
}

impl<const UNIT: u64, const LEAST: u64> From<Span<UNIT, LEAST>> for Duration {
    fn from(span: Span<UNIT, LEAST>) -> Self {
        span.0
    }
}
