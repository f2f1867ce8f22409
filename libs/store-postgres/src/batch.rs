//! Which of the waiting appends share a statement, and what it says of them.

use crate::sessions::Query;
use chrono::SubsecRound;
use ports::{Append, AppendError, Appended, Position, RecordedEvent, Version};
use sqlx::{Row, postgres::PgRow};
use std::collections::{HashSet, VecDeque};
use tokio::sync::oneshot;

/// Most appends that share a statement.
const MOST: usize = 256;
/// From so many bytes of payload on, a statement takes no further append.
const MOST_BYTES: usize = 8 << 20;

const APPEND: &str = "SELECT append, stored_at, stream_version \
     FROM append_events_of_tenants($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ORDER BY append";

/// An append and who waits for it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) append: Append,
    pub(crate) answer: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Takes appends that may share a statement, at most one a stream: the next of the same stream is judged by
/// what this one leaves.
pub(crate) fn take(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut batch = Vec::new();
    let (mut streams, mut bytes) = (HashSet::new(), 0);
    let mut later = VecDeque::new();
    while batch.len() < MOST
        && let Some(one) = waiting.pop_front()
    {
        let first = streams.insert(one.append.stream);
        if first && bytes < MOST_BYTES {
            bytes += one.append.events.iter().map(|event| event.payload.len()).sum::<usize>();
            batch.push(one);
        } else {
            later.push_back(one);
        }
    }
    later.append(waiting);
    *waiting = later;
    batch
}

/// The parameters of the statement, column by column.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    streams: Vec<String>,
    expected: Vec<i64>,
    sizes: Vec<i64>,
    metadata: Vec<String>,
    times: Vec<i64>,
    tenants: Vec<&'a str>,
    owners: Vec<i64>,
    steps: Vec<i64>,
    kinds: Vec<&'a str>,
    schema_versions: Vec<i32>,
    payloads: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(batch: &'a [Waiting]) -> Result<Self, sqlx::Error> {
        let mut columns = Self::default();
        for (Waiting { append, .. }, owner) in batch.iter().zip(1..) {
            let metadata = serde_json::to_string(&append.metadata);
            columns.streams.push(append.stream.to_string());
            columns.expected.push(append.expected.0.cast_signed());
            columns.sizes.push(i64::try_from(append.events.len()).unwrap_or(i64::MAX));
            columns.metadata.push(metadata.map_err(|error| sqlx::Error::Encode(error.into()))?);
            columns.times.push(append.recorded_at.timestamp_micros());
            columns.tenants.push(append.metadata.tenant.as_str());
            for (event, step) in append.events.iter().zip(1..) {
                columns.owners.push(owner);
                columns.steps.push(step);
                columns.kinds.push(event.kind);
                columns.schema_versions.push(event.schema_version.into());
                columns.payloads.push(&event.payload);
            }
        }
        Ok(columns)
    }

    pub(crate) fn query(&self, number: i64) -> Query<'_> {
        sqlx::query(APPEND)
            .bind(number)
            .bind(&self.streams)
            .bind(&self.expected)
            .bind(&self.sizes)
            .bind(&self.metadata)
            .bind(&self.times)
            .bind(&self.tenants)
            .bind(&self.owners)
            .bind(&self.steps)
            .bind(&self.kinds)
            .bind(&self.schema_versions)
            .bind(&self.payloads)
    }
}

/// What the statement says of one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is stored, and this is the position of its last event.
    Stored(Position),
    /// Its stream has this version.
    Conflict(Version),
}

impl Outcome {
    /// One for each append, in their order.
    pub(crate) fn read_all(rows: &[PgRow], appends: usize) -> Result<Vec<Self>, sqlx::Error> {
        let numbers = rows.iter().map(|row| row.try_get::<i64, _>(0)).collect::<Result<Vec<_>, _>>()?;
        if !numbers.iter().copied().eq((1..).take(appends)) {
            let what = format!("{} of {appends} appends were answered", numbers.len());
            return Err(sqlx::Error::Protocol(what));
        }
        rows.iter().map(Self::read).collect()
    }

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(match row.try_get::<Option<i64>, _>(1)? {
            Some(position) => Self::Stored(Position(position.cast_unsigned())),
            None => Self::Conflict(Version(row.try_get::<i64, _>(2)?.cast_unsigned())),
        })
    }

    pub(crate) fn of(self, append: &Append) -> Result<Appended, AppendError> {
        let expected = append.expected;
        match self {
            Self::Stored(position) => {
                Ok(Appended { position, version: Version(expected.0 + append.events.len() as u64) })
            }
            Self::Conflict(actual) => Err(AppendError::Conflict { expected, actual }),
        }
    }
}

/// The events of an append as they are stored.
pub(crate) fn recorded(append: Append, last: Position) -> impl Iterator<Item = RecordedEvent> {
    let before = last.0 - append.events.len() as u64;
    let Append { stream, expected, events, metadata, recorded_at } = append;
    // Microseconds are what the database keeps; a reader of the tail must see the same time.
    let recorded_at = recorded_at.trunc_subsecs(6);
    (1..).zip(events).map(move |(step, event)| RecordedEvent {
        position: Position(before + step),
        stream,
        version: Version(expected.0 + step),
        kind: event.kind.into(),
        schema_version: event.schema_version,
        payload: event.payload.into(),
        metadata: metadata.clone(),
        recorded_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::stores::sample;

    fn waiting(appends: impl IntoIterator<Item = Append>) -> VecDeque<Waiting> {
        let one = |append| Waiting { append, answer: oneshot::channel().0 };
        appends.into_iter().map(one).collect()
    }

    /// Whether these are appends to streams of these numbers at these versions.
    fn are(batch: &[Waiting], expected: &[(u64, u64)]) -> bool {
        let of = |one: &Waiting| (one.append.stream, one.append.expected.0);
        batch.iter().map(of).eq(expected.iter().map(|(n, version)| (sample::stream(*n), *version)))
    }

    #[test]
    fn a_stream_has_one_append_a_batch_and_keeps_its_order() {
        let order = [(1, 0), (2, 0), (1, 5), (3, 0), (1, 6), (2, 1)];
        let mut waiting = waiting(order.map(|(n, expected)| sample::append(sample::stream(n), expected, 1)));
        assert!(are(&take(&mut waiting), &[(1, 0), (2, 0), (3, 0)]));
        assert!(are(&take(&mut waiting), &[(1, 5), (2, 1)]));
        assert!(are(&take(&mut waiting), &[(1, 6)]));
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_batch_is_bounded_in_number_and_in_bytes() {
        let mut many = waiting((0..600).map(|n| sample::append(sample::stream(n), 0, 1)));
        assert_eq!([256, 256, 88, 0].map(|n| take(&mut many).len() == n), [true; 4]);

        let large = |n| sample::append_of(sample::stream(n), 0, vec!["x".repeat(5 << 20)]);
        let mut large = waiting((0..5).map(large));
        assert_eq!([2, 2, 1, 0].map(|n| take(&mut large).len() == n), [true; 4]);
    }
}
