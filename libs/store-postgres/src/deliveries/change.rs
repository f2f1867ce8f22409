//! Changing deliveries. Each change is one statement, which may be sent twice.

use crate::sessions::Query;
use chrono::{DateTime, Utc};
use ports::{AttemptError, DeliveryBatch, DeliveryProgress, Position};

/// A batch as arrays, one a column.
#[derive(Default)]
pub(crate) struct Columns {
    positions: Vec<i64>,
    builds: Vec<Option<String>>,
    event_ids: Vec<String>,
    event_types: Vec<String>,
    statuses: Vec<&'static str>,
    attempts: Vec<i64>,
    tries: Vec<i64>,
    next_ats: Vec<Option<i64>>,
    created_ats: Vec<i64>,
    ended_ats: Vec<Option<i64>>,
    last_statuses: Vec<Option<i64>>,
    last_errors: Vec<Option<&'static str>>,
    of: Vec<i64>,
    numbers: Vec<i64>,
    ats: Vec<i64>,
    took: Vec<i64>,
    answers: Vec<Option<i64>>,
    errors: Vec<Option<&'static str>>,
    messages: Vec<Option<String>>,
    headers: Vec<String>,
    bodies: Vec<Vec<u8>>,
}

impl Columns {
    pub(crate) fn of(batch: &DeliveryBatch) -> Result<Self, sqlx::Error> {
        let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
        let encode = |error: serde_json::Error| sqlx::Error::Encode(error.into());
        let mut columns = Self::default();
        for delivery in &batch.deliveries {
            columns.positions.push(delivery.id.position.0.cast_signed());
            columns.builds.push(delivery.build.map(|build| build.to_string()));
            columns.event_ids.push(delivery.event_id.to_string());
            columns.event_types.push(delivery.event_type.to_string());
            columns.statuses.push(delivery.status.name());
            columns.attempts.push(delivery.attempts.into());
            columns.tries.push(delivery.tries.into());
            columns.next_ats.push(micros(delivery.next_at));
            columns.created_ats.push(delivery.created_at.timestamp_micros());
            columns.ended_ats.push(micros(delivery.ended_at));
            columns.last_statuses.push(delivery.last_status.map(i64::from));
            columns.last_errors.push(delivery.last_error.map(AttemptError::name));
        }
        for attempt in &batch.attempts {
            let message = attempt.message.as_ref().map(serde_json::to_string).transpose().map_err(encode)?;
            columns.of.push(attempt.position.0.cast_signed());
            columns.numbers.push(attempt.number.into());
            columns.ats.push(attempt.at.timestamp_micros());
            columns.took.push(i64::try_from(attempt.took.as_micros()).unwrap_or(i64::MAX));
            columns.answers.push(attempt.status.map(i64::from));
            columns.errors.push(attempt.error.map(AttemptError::name));
            columns.messages.push(message);
            columns.headers.push(serde_json::to_string(&attempt.response_headers).map_err(encode)?);
            columns.bodies.push(attempt.response_body.to_vec());
        }
        Ok(columns)
    }

    pub(crate) fn query<'q>(&'q self, endpoint: &'q str, progress: DeliveryProgress) -> Query<'q> {
        sqlx::query(
            "WITH cursor AS ( \
               INSERT INTO delivery_cursors (endpoint, position, failing_since) VALUES ($1, $2, $3) \
               ON CONFLICT (endpoint) DO UPDATE SET position = excluded.position, \
                 failing_since = excluded.failing_since \
             ), changed AS ( \
               INSERT INTO deliveries (endpoint, position, build, event_id, event_type, status, attempts, tries, \
                 next_at, created_at, ended_at, last_status, last_error) \
               SELECT $1, d.* FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], \
                 $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], \
                 $15::text[]) AS d \
               ON CONFLICT (endpoint, position) DO UPDATE SET status = excluded.status, \
                 attempts = excluded.attempts, tries = excluded.tries, next_at = excluded.next_at, \
                 ended_at = excluded.ended_at, last_status = excluded.last_status, \
                 last_error = excluded.last_error \
             ) \
             INSERT INTO delivery_attempts (endpoint, position, number, at, took, status, error, message, \
               headers, body) \
             SELECT $1, a.* FROM unnest($16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], \
               $20::bigint[], $21::text[], $22::text[], $23::text[], $24::bytea[]) AS a \
             ON CONFLICT (endpoint, position, number) DO NOTHING",
        )
        .bind(endpoint)
        .bind(progress.cursor.0.cast_signed())
        .bind(progress.failing_since.map(|at| at.timestamp_micros()))
        .bind(&self.positions)
        .bind(&self.builds)
        .bind(&self.event_ids)
        .bind(&self.event_types)
        .bind(&self.statuses)
        .bind(&self.attempts)
        .bind(&self.tries)
        .bind(&self.next_ats)
        .bind(&self.created_ats)
        .bind(&self.ended_ats)
        .bind(&self.last_statuses)
        .bind(&self.last_errors)
        .bind(&self.of)
        .bind(&self.numbers)
        .bind(&self.ats)
        .bind(&self.took)
        .bind(&self.answers)
        .bind(&self.errors)
        .bind(&self.messages)
        .bind(&self.headers)
        .bind(&self.bodies)
    }
}

/// The delivery as it stands then.
pub(crate) fn redeliver(endpoint: &str, position: Position, now: DateTime<Utc>) -> Query<'_> {
    sqlx::query(
        "WITH nudged AS (UPDATE delivery_cursors SET nudged = true WHERE endpoint = $1) \
         UPDATE deliveries SET status = 'pending', tries = 0, next_at = $3, ended_at = NULL \
         WHERE endpoint = $1 AND position = $2 \
         RETURNING endpoint, position, build, event_id, event_type, status, attempts, tries, next_at, \
           created_at, ended_at, last_status, last_error",
    )
    .bind(endpoint)
    .bind(position.0.cast_signed())
    .bind(now.timestamp_micros())
}

pub(crate) fn redeliver_since(
    endpoint: &str,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: usize,
) -> Query<'_> {
    sqlx::query(
        "WITH nudged AS (UPDATE delivery_cursors SET nudged = true WHERE endpoint = $1), changed AS ( \
           UPDATE deliveries SET status = 'pending', tries = 0, next_at = $3, ended_at = NULL \
           WHERE endpoint = $1 AND position IN (SELECT position FROM deliveries \
             WHERE endpoint = $1 AND status = 'dead' AND created_at >= $2 ORDER BY position LIMIT $4) \
           RETURNING 1 \
         ) SELECT count(*) FROM changed",
    )
    .bind(endpoint)
    .bind(since.timestamp_micros())
    .bind(now.timestamp_micros())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
}

pub(crate) fn take_nudges<'q>() -> Query<'q> {
    sqlx::query("UPDATE delivery_cursors SET nudged = false WHERE nudged RETURNING endpoint")
}

pub(crate) fn prune<'q>(before: DateTime<Utc>, limit: usize) -> Query<'q> {
    sqlx::query(
        "WITH old AS ( \
           SELECT endpoint, position FROM deliveries WHERE created_at < $1 ORDER BY created_at LIMIT $2 \
         ), attempts AS ( \
           DELETE FROM delivery_attempts a USING old \
           WHERE a.endpoint = old.endpoint AND a.position = old.position \
         ), gone AS ( \
           DELETE FROM deliveries d USING old WHERE d.endpoint = old.endpoint AND d.position = old.position \
           RETURNING 1 \
         ) SELECT count(*) FROM gone",
    )
    .bind(before.timestamp_micros())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
}

/// Whoever has a cursor or secrets was alive lately, so few are looked at.
pub(crate) fn forget_deleted<'q>(limit: usize) -> Query<'q> {
    sqlx::query(
        "WITH ended AS ( \
           SELECT c.endpoint FROM delivery_cursors c JOIN webhook_endpoints e ON e.id = c.endpoint WHERE e.deleted \
         ), old AS ( \
           SELECT d.endpoint, d.position FROM deliveries d JOIN ended ON d.endpoint = ended.endpoint LIMIT $1 \
         ), attempts AS ( \
           DELETE FROM delivery_attempts a USING old \
           WHERE a.endpoint = old.endpoint AND a.position = old.position \
         ), gone AS ( \
           DELETE FROM deliveries d USING old WHERE d.endpoint = old.endpoint AND d.position = old.position \
           RETURNING 1 \
         ), cursors AS ( \
           DELETE FROM delivery_cursors c USING ended \
           WHERE c.endpoint = ended.endpoint AND (SELECT count(*) FROM old) < $1 \
         ), secrets AS ( \
           DELETE FROM webhook_secrets s USING webhook_endpoints e WHERE e.id = s.endpoint AND e.deleted \
         ) SELECT count(*) FROM gone",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
}
