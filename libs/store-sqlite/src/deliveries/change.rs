//! What the writing task does to deliveries.

use crate::insert::Insert;
use chrono::{DateTime, Utc};
use domain::EndpointId;
use ports::{Delivery, DeliveryAttempt, DeliveryBatch, DeliveryId, DeliveryProgress};
use sqlx::SqliteConnection;
use std::sync::LazyLock;

/// A change, for the task that writes.
#[derive(Debug)]
pub(crate) enum Change {
    Record(EndpointId, DeliveryBatch),
    Redeliver(DeliveryId, DateTime<Utc>),
    RedeliverSince { endpoint: EndpointId, since: DateTime<Utc>, now: DateTime<Utc>, limit: usize },
    Nudged(Vec<EndpointId>),
    Prune { before: DateTime<Utc>, limit: usize },
    ForgetDeleted { limit: usize },
}

static DELIVERIES: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO deliveries (endpoint, position, build, event_id, event_type, status, attempts, tries, \
         next_at, created_at, ended_at, last_status, last_error)",
        13,
        "ON CONFLICT (endpoint, position) DO UPDATE SET status = excluded.status, attempts = excluded.attempts, \
         tries = excluded.tries, next_at = excluded.next_at, ended_at = excluded.ended_at, \
         last_status = excluded.last_status, last_error = excluded.last_error",
    )
});

/// The same attempt stored again, after an answer that was lost, changes nothing.
static ATTEMPTS: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO delivery_attempts (endpoint, position, number, at, took, status, error, message, headers, \
         body)",
        10,
        "ON CONFLICT (endpoint, position, number) DO NOTHING",
    )
});

impl Change {
    /// Makes the change within a transaction. Returns how many deliveries it is about.
    pub(crate) async fn apply(&self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        match self {
            Self::Record(endpoint, batch) => record(connection, *endpoint, batch).await,
            Self::Redeliver(id, now) => redeliver(connection, *id, *now).await,
            Self::RedeliverSince { endpoint, since, now, limit } => {
                redeliver_since(connection, *endpoint, *since, *now, *limit).await
            }
            Self::Nudged(endpoints) => forget_nudges(connection, endpoints).await,
            Self::Prune { before, limit } => prune(connection, *before, *limit).await,
            Self::ForgetDeleted { limit } => forget_deleted(connection, *limit).await,
        }
    }
}

async fn record(
    connection: &mut SqliteConnection,
    endpoint: EndpointId,
    batch: &DeliveryBatch,
) -> Result<u64, sqlx::Error> {
    let name = endpoint.to_string();
    set_progress(connection, &name, batch.progress).await?;
    let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
    DELIVERIES
        .run(connection, &batch.deliveries, |query, delivery: &Delivery| {
            query
                .bind(name.clone())
                .bind(delivery.id.position.0.cast_signed())
                .bind(delivery.build.map(|build| build.to_string()))
                .bind(delivery.event_id.to_string())
                .bind(delivery.event_type.to_string())
                .bind(delivery.status.name())
                .bind(i64::from(delivery.attempts))
                .bind(i64::from(delivery.tries))
                .bind(micros(delivery.next_at))
                .bind(delivery.created_at.timestamp_micros())
                .bind(micros(delivery.ended_at))
                .bind(delivery.last_status.map(i64::from))
                .bind(delivery.last_error.map(ports::AttemptError::name))
        })
        .await?;
    let encode = |error: serde_json::Error| sqlx::Error::Encode(error.into());
    let rows = batch
        .attempts
        .iter()
        .map(|attempt| {
            let message = attempt.message.as_ref().map(serde_json::to_string).transpose().map_err(encode)?;
            let headers = serde_json::to_string(&attempt.response_headers).map_err(encode)?;
            Ok((attempt, message, headers))
        })
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    let bind = |query: crate::insert::Query, row: &(&DeliveryAttempt, Option<String>, String)| {
        let (attempt, message, headers) = row;
        query
            .bind(name.clone())
            .bind(attempt.position.0.cast_signed())
            .bind(i64::from(attempt.number))
            .bind(attempt.at.timestamp_micros())
            .bind(i64::try_from(attempt.took.as_micros()).unwrap_or(i64::MAX))
            .bind(attempt.status.map(i64::from))
            .bind(attempt.error.map(ports::AttemptError::name))
            .bind(message.clone())
            .bind(headers.clone())
            .bind(attempt.response_body.to_vec())
    };
    ATTEMPTS.run(connection, &rows, bind).await?;
    Ok(batch.deliveries.len() as u64)
}

async fn set_progress(
    connection: &mut SqliteConnection,
    endpoint: &str,
    progress: DeliveryProgress,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO delivery_cursors (endpoint, position, failing_since) VALUES (?, ?, ?) \
         ON CONFLICT (endpoint) DO UPDATE SET position = excluded.position, \
         failing_since = excluded.failing_since",
    )
    .bind(endpoint.to_owned())
    .bind(progress.cursor.0.cast_signed())
    .bind(progress.failing_since.map(|at| at.timestamp_micros()))
    .execute(connection)
    .await?;
    Ok(())
}

async fn redeliver(
    connection: &mut SqliteConnection,
    id: DeliveryId,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE deliveries SET status = 'pending', tries = 0, next_at = ?, ended_at = NULL \
         WHERE endpoint = ? AND position = ?",
    )
    .bind(now.timestamp_micros())
    .bind(id.endpoint.to_string())
    .bind(id.position.0.cast_signed())
    .execute(&mut *connection)
    .await?;
    nudge(connection, id.endpoint).await?;
    Ok(done.rows_affected())
}

async fn redeliver_since(
    connection: &mut SqliteConnection,
    endpoint: EndpointId,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: usize,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE deliveries SET status = 'pending', tries = 0, next_at = ?1, ended_at = NULL \
         WHERE endpoint = ?2 AND position IN (SELECT position FROM deliveries \
         WHERE endpoint = ?2 AND status = 'dead' AND created_at >= ?3 ORDER BY position LIMIT ?4)",
    )
    .bind(now.timestamp_micros())
    .bind(endpoint.to_string())
    .bind(since.timestamp_micros())
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .execute(&mut *connection)
    .await?;
    nudge(connection, endpoint).await?;
    Ok(done.rows_affected())
}

async fn nudge(connection: &mut SqliteConnection, endpoint: EndpointId) -> Result<(), sqlx::Error> {
    let nudge = sqlx::query("UPDATE delivery_cursors SET nudged = 1 WHERE endpoint = ?");
    nudge.bind(endpoint.to_string()).execute(connection).await.map(drop)
}

async fn forget_nudges(
    connection: &mut SqliteConnection,
    endpoints: &[EndpointId],
) -> Result<u64, sqlx::Error> {
    for endpoint in endpoints {
        let forget = sqlx::query("UPDATE delivery_cursors SET nudged = 0 WHERE endpoint = ?");
        forget.bind(endpoint.to_string()).execute(&mut *connection).await?;
    }
    Ok(0)
}

async fn prune(
    connection: &mut SqliteConnection,
    before: DateTime<Utc>,
    limit: usize,
) -> Result<u64, sqlx::Error> {
    const OLD: &str =
        "SELECT endpoint, position FROM deliveries WHERE created_at < ?1 ORDER BY created_at LIMIT ?2";
    let mut gone = 0;
    // Attempts first: the rows say of which.
    for table in ["delivery_attempts", "deliveries"] {
        let sql = format!("DELETE FROM {table} WHERE (endpoint, position) IN ({OLD})");
        let delete = sqlx::query(sqlx::AssertSqlSafe(sql));
        let done = delete
            .bind(before.timestamp_micros())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .execute(&mut *connection)
            .await?;
        gone = done.rows_affected();
    }
    Ok(gone)
}

/// Deliveries first; the cursors say whose there may be.
async fn forget_deleted(connection: &mut SqliteConnection, limit: usize) -> Result<u64, sqlx::Error> {
    const OF_DELETED: &str = "SELECT d.endpoint, d.position FROM delivery_cursors c \
         CROSS JOIN webhook_endpoints e ON e.id = c.endpoint \
         CROSS JOIN deliveries d ON d.endpoint = c.endpoint WHERE e.deleted = 1 LIMIT ?1";
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut gone = 0;
    for table in ["delivery_attempts", "deliveries"] {
        let sql = format!("DELETE FROM {table} WHERE (endpoint, position) IN ({OF_DELETED})");
        let delete = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(most);
        gone = delete.execute(&mut *connection).await?.rows_affected();
    }
    if gone < limit as u64 {
        for table in ["delivery_cursors", "webhook_secrets"] {
            let sql = format!(
                "DELETE FROM {table} WHERE endpoint IN (SELECT t.endpoint FROM {table} t \
                 CROSS JOIN webhook_endpoints e ON e.id = t.endpoint WHERE e.deleted = 1)"
            );
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
    }
    Ok(gone)
}
