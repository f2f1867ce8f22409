//! Reading deliveries.

use crate::{
    events::time,
    failure::{Damage, store_error},
};
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};
use ports::{
    AttemptError, DeliveriesKnown, Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryFilter, DeliveryId,
    DeliveryProgress, DeliveryStatus, Position, StoreError,
};
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};
use std::time::Duration;

macro_rules! deliveries {
    ($condition:literal) => {
        concat!(
            "SELECT endpoint, position, build, event_id, event_type, status, attempts, tries, next_at, \
             created_at, ended_at, last_status, last_error FROM deliveries WHERE ",
            $condition
        )
    };
}

const PROGRESS: &str = "SELECT position, failing_since FROM delivery_cursors WHERE endpoint = ?";
const BEYOND: &str = "SELECT position FROM deliveries WHERE endpoint = ? AND position > ? ORDER BY position";
/// Of the row with the least position SQLite takes the other columns.
const WAITING_BUILDS: &str = "SELECT build, next_at, min(position) FROM deliveries INDEXED BY deliveries_waiting \
     WHERE endpoint = ? AND status = 'pending' AND build IS NOT NULL GROUP BY build";
const NEXT: &str = deliveries!(
    "endpoint = ? AND status = 'pending' AND next_at IS NOT NULL ORDER BY next_at, position LIMIT ?"
);
const WAITING: &str = deliveries!(
    "endpoint = ? AND build = ? AND status = 'pending' AND position > ? ORDER BY position LIMIT ?"
);
const NEWEST: &str = deliveries!("endpoint = ? AND position < ? ORDER BY position DESC LIMIT ?");
const OF_STATUS: &str =
    deliveries!("endpoint = ? AND status = ? AND position < ? ORDER BY position DESC LIMIT ?");
const ONE: &str = deliveries!("endpoint = ? AND position = ?");
const ATTEMPTS: &str = "SELECT number, at, took, status, error, message, headers, body FROM delivery_attempts \
     WHERE endpoint = ? AND position = ? ORDER BY number";
const NUDGED: &str =
    "SELECT endpoint FROM delivery_cursors INDEXED BY delivery_cursors_nudged WHERE nudged = 1";
const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM deliveries INDEXED BY deliveries_unfinished \
     WHERE status = ?1 AND status <> 'delivered' LIMIT ?2)";

/// Whoever has a cursor or secrets was alive lately, so few are looked at.
const OF_DELETED: &str = "SELECT EXISTS (SELECT 1 FROM delivery_cursors c CROSS JOIN webhook_endpoints e \
     ON e.id = c.endpoint WHERE e.deleted = 1) OR EXISTS (SELECT 1 FROM webhook_secrets s \
     CROSS JOIN webhook_endpoints e ON e.id = s.endpoint WHERE e.deleted = 1)";

/// What must not scan a table.
#[cfg(test)]
pub(crate) const QUERIES: [&str; 11] =
    [PROGRESS, BEYOND, WAITING_BUILDS, NEXT, WAITING, NEWEST, OF_STATUS, ONE, ATTEMPTS, NUDGED, COUNT];

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) async fn known(
    pool: &SqlitePool,
    endpoint: EndpointId,
) -> Result<Option<DeliveriesKnown>, StoreError> {
    let name = endpoint.to_string();
    let row = sqlx::query(PROGRESS).bind(&name).fetch_optional(pool).await.map_err(store_error)?;
    let Some(row) = row else { return Ok(None) };
    let progress = progress(&row)?;
    let beyond = sqlx::query(BEYOND).bind(&name).bind(progress.cursor.0.cast_signed()).fetch_all(pool).await;
    let beyond = beyond.map_err(store_error)?;
    let waiting = sqlx::query(WAITING_BUILDS).bind(&name).fetch_all(pool).await.map_err(store_error)?;
    let beyond = beyond.iter().map(position).collect::<Result<_, Damage>>()?;
    let waiting = waiting.iter().map(waiting_build).collect::<Result<_, Damage>>()?;
    Ok(Some(DeliveriesKnown { progress, beyond, waiting }))
}

fn progress(row: &SqliteRow) -> Result<DeliveryProgress, Damage> {
    let failing_since: Option<i64> = row.try_get(1)?;
    Ok(DeliveryProgress { cursor: position(row)?, failing_since: failing_since.map(time).transpose()? })
}

fn position(row: &SqliteRow) -> Result<Position, Damage> {
    Ok(Position(row.try_get::<i64, _>(0)?.cast_unsigned()))
}

fn waiting_build(row: &SqliteRow) -> Result<(BuildId, Option<DateTime<Utc>>), Damage> {
    let next_at: Option<i64> = row.try_get(1)?;
    Ok((row.try_get::<&str, _>(0)?.parse()?, next_at.map(time).transpose()?))
}

pub(crate) async fn next(
    pool: &SqlitePool,
    endpoint: EndpointId,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    read_all(sqlx::query(NEXT).bind(endpoint.to_string()).bind(most(limit)).fetch_all(pool).await)
}

pub(crate) async fn waiting(
    pool: &SqlitePool,
    endpoint: EndpointId,
    build: BuildId,
    after: Position,
    limit: usize,
) -> Result<Vec<Delivery>, StoreError> {
    let query = sqlx::query(WAITING).bind(endpoint.to_string()).bind(build.to_string());
    read_all(query.bind(after.0.cast_signed()).bind(most(limit)).fetch_all(pool).await)
}

/// One more than asked for tells whether more follow.
pub(crate) async fn page(pool: &SqlitePool, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
    let before = filter.before.map_or(i64::MAX, |before| before.0.cast_signed());
    let query = match filter.status {
        Some(status) => sqlx::query(OF_STATUS).bind(filter.endpoint.to_string()).bind(status.name()),
        None => sqlx::query(NEWEST).bind(filter.endpoint.to_string()),
    };
    read_all(query.bind(before).bind(most(filter.limit).saturating_add(1)).fetch_all(pool).await)
}

pub(crate) async fn one(pool: &SqlitePool, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let query = sqlx::query(ONE).bind(id.endpoint.to_string()).bind(id.position.0.cast_signed());
    let row = query.fetch_optional(pool).await.map_err(store_error)?;
    row.map(|row| read(&row).map_err(StoreError::from)).transpose()
}

pub(crate) async fn attempts(pool: &SqlitePool, id: DeliveryId) -> Result<Vec<DeliveryAttempt>, StoreError> {
    let query = sqlx::query(ATTEMPTS).bind(id.endpoint.to_string()).bind(id.position.0.cast_signed());
    let rows = query.fetch_all(pool).await.map_err(store_error)?;
    rows.iter().map(|row| attempt(row, id.position).map_err(StoreError::from)).collect()
}

pub(crate) async fn nudged(pool: &SqlitePool) -> Result<Vec<EndpointId>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(NUDGED).fetch_all(pool).await.map_err(store_error)?;
    names.iter().map(|name| name.parse().map_err(|error| StoreError::from(Damage::Id(error)))).collect()
}

pub(crate) async fn is_anything_of_deleted(pool: &SqlitePool) -> Result<bool, StoreError> {
    sqlx::query_scalar(OF_DELETED).fetch_one(pool).await.map_err(store_error)
}

pub(crate) async fn backlog(pool: &SqlitePool, limit: usize) -> Result<DeliveryBacklog, sqlx::Error> {
    let count = async |status: DeliveryStatus| {
        let count = sqlx::query_scalar(COUNT).bind(status.name()).bind(most(limit));
        count.fetch_one(pool).await.map(i64::cast_unsigned)
    };
    Ok(DeliveryBacklog {
        pending: count(DeliveryStatus::Pending).await?,
        dead: count(DeliveryStatus::Dead).await?,
    })
}

fn read_all(rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<Delivery>, StoreError> {
    rows.map_err(store_error)?.iter().map(|row| read(row).map_err(StoreError::from)).collect()
}

fn read(row: &SqliteRow) -> Result<Delivery, Damage> {
    let moment = |column: usize| row.try_get::<Option<i64>, _>(column)?.map(time).transpose();
    let build: Option<&str> = row.try_get(2)?;
    let last_status: Option<i64> = row.try_get(11)?;
    Ok(Delivery {
        id: DeliveryId {
            endpoint: row.try_get::<&str, _>(0)?.parse()?,
            position: Position(row.try_get::<i64, _>(1)?.cast_unsigned()),
        },
        build: build.map(str::parse).transpose()?,
        event_id: row.try_get::<&str, _>(3)?.into(),
        event_type: row.try_get::<&str, _>(4)?.into(),
        status: DeliveryStatus::parse(row.try_get(5)?).ok_or(Damage::Delivery("its status"))?,
        attempts: row.try_get::<i64, _>(6)?.try_into()?,
        tries: row.try_get::<i64, _>(7)?.try_into()?,
        next_at: moment(8)?,
        created_at: time(row.try_get(9)?)?,
        ended_at: moment(10)?,
        last_status: last_status.map(u16::try_from).transpose()?,
        last_error: error(row.try_get(12)?)?,
    })
}

fn error(name: Option<&str>) -> Result<Option<AttemptError>, Damage> {
    name.map(|name| AttemptError::parse(name).ok_or(Damage::Delivery("its error"))).transpose()
}

fn attempt(row: &SqliteRow, position: Position) -> Result<DeliveryAttempt, Damage> {
    let status: Option<i64> = row.try_get(3)?;
    let message: Option<&str> = row.try_get(5)?;
    Ok(DeliveryAttempt {
        position,
        number: row.try_get::<i64, _>(0)?.try_into()?,
        at: time(row.try_get(1)?)?,
        took: Duration::from_micros(row.try_get::<i64, _>(2)?.cast_unsigned()),
        status: status.map(u16::try_from).transpose()?,
        error: error(row.try_get(4)?)?,
        message: message.map(serde_json::from_str).transpose()?,
        response_headers: serde_json::from_str(row.try_get(6)?)?,
        response_body: row.try_get::<Vec<u8>, _>(7)?.into(),
    })
}
