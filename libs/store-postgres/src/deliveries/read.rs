//! Reading deliveries.

use crate::{events::time, failure::Damage, sessions::Query};
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};
use ports::{
    AttemptError, Delivery, DeliveryAttempt, DeliveryFilter, DeliveryId, DeliveryProgress, DeliveryStatus,
    Position, StoreError,
};
use sqlx::{Row, postgres::PgRow};
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

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn progress_of(endpoint: &str) -> Query<'_> {
    sqlx::query("SELECT position, failing_since FROM delivery_cursors WHERE endpoint = $1").bind(endpoint)
}

pub(crate) fn progress(row: &PgRow) -> Result<DeliveryProgress, Damage> {
    let failing_since: Option<i64> = row.try_get(1)?;
    Ok(DeliveryProgress { cursor: position(row)?, failing_since: failing_since.map(time).transpose()? })
}

pub(crate) fn beyond(endpoint: &str, cursor: Position) -> Query<'_> {
    sqlx::query("SELECT position FROM deliveries WHERE endpoint = $1 AND position > $2 ORDER BY position")
        .bind(endpoint)
        .bind(cursor.0.cast_signed())
}

pub(crate) fn position(row: &PgRow) -> Result<Position, Damage> {
    Ok(Position(row.try_get::<i64, _>(0)?.cast_unsigned()))
}

pub(crate) fn waiting_builds(endpoint: &str) -> Query<'_> {
    sqlx::query(
        "SELECT DISTINCT ON (build) build, next_at FROM deliveries \
         WHERE endpoint = $1 AND status = 'pending' AND build IS NOT NULL ORDER BY build, position",
    )
    .bind(endpoint)
}

pub(crate) fn waiting_build(row: &PgRow) -> Result<(BuildId, Option<DateTime<Utc>>), Damage> {
    let next_at: Option<i64> = row.try_get(1)?;
    Ok((row.try_get::<&str, _>(0)?.parse()?, next_at.map(time).transpose()?))
}

pub(crate) fn next(endpoint: &str, limit: usize) -> Query<'_> {
    sqlx::query(deliveries!(
        "endpoint = $1 AND status = 'pending' AND next_at IS NOT NULL ORDER BY next_at, position LIMIT $2"
    ))
    .bind(endpoint)
    .bind(most(limit))
}

pub(crate) fn waiting<'q>(endpoint: &'q str, build: &'q str, after: Position, limit: usize) -> Query<'q> {
    sqlx::query(deliveries!(
        "endpoint = $1 AND build = $2 AND status = 'pending' AND position > $3 ORDER BY position LIMIT $4"
    ))
    .bind(endpoint)
    .bind(build)
    .bind(after.0.cast_signed())
    .bind(most(limit))
}

/// One more than asked for tells whether more follow.
pub(crate) fn page<'q>(endpoint: &'q str, filter: &DeliveryFilter) -> Query<'q> {
    let before = filter.before.map_or(i64::MAX, |before| before.0.cast_signed());
    let limit = most(filter.limit).saturating_add(1);
    match filter.status {
        Some(status) => sqlx::query(deliveries!(
            "endpoint = $1 AND position < $2 AND status = $4 ORDER BY position DESC LIMIT $3"
        ))
        .bind(endpoint)
        .bind(before)
        .bind(limit)
        .bind(status.name()),
        None => sqlx::query(deliveries!("endpoint = $1 AND position < $2 ORDER BY position DESC LIMIT $3"))
            .bind(endpoint)
            .bind(before)
            .bind(limit),
    }
}

pub(crate) fn one(endpoint: &str, position: Position) -> Query<'_> {
    sqlx::query(deliveries!("endpoint = $1 AND position = $2")).bind(endpoint).bind(position.0.cast_signed())
}

pub(crate) fn attempts(endpoint: &str, position: Position) -> Query<'_> {
    sqlx::query(
        "SELECT number, at, took, status, error, message, headers, body FROM delivery_attempts \
         WHERE endpoint = $1 AND position = $2 ORDER BY number",
    )
    .bind(endpoint)
    .bind(position.0.cast_signed())
}

pub(crate) fn count<'q>(status: &'static str, limit: usize) -> Query<'q> {
    sqlx::query(
        "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE status = $1 AND status <> 'delivered' LIMIT $2) x",
    )
    .bind(status)
    .bind(most(limit))
}

pub(crate) fn endpoint(row: &PgRow) -> Result<EndpointId, Damage> {
    Ok(row.try_get::<&str, _>(0)?.parse()?)
}

pub(crate) fn read_all(rows: &[PgRow]) -> Result<Vec<Delivery>, StoreError> {
    rows.iter().map(|row| read(row).map_err(StoreError::from)).collect()
}

fn read(row: &PgRow) -> Result<Delivery, Damage> {
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

pub(crate) fn attempt(row: &PgRow, position: Position) -> Result<DeliveryAttempt, Damage> {
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
