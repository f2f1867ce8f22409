//! The SQL of the event log.

use crate::{failure::Damage, sessions::Query};
use chrono::{DateTime, Utc};
use names::TenantName;
use ports::{Position, RecordedEvent, StoreError, Version};
use sqlx::{Row, postgres::PgRow};

pub(crate) const OF_STREAM: &str = "SELECT position, stream, version, kind, schema_version, payload, metadata, recorded_at \
     FROM events WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3";
pub(crate) const OF_ALL: &str = "SELECT position, stream, version, kind, schema_version, payload, metadata, recorded_at \
     FROM events WHERE position > $1 ORDER BY position LIMIT $2";

pub(crate) const OF_TENANT: &str = "SELECT position, stream, version, kind, schema_version, payload, metadata, recorded_at \
     FROM events WHERE tenant = $1 AND position > $2 ORDER BY position LIMIT $3";

pub(crate) fn of_stream(stream: &str, after: Version, limit: i64) -> Query<'_> {
    sqlx::query(OF_STREAM).bind(stream).bind(after.0.cast_signed()).bind(limit)
}

pub(crate) fn of_all<'q>(after: Position, limit: i64) -> Query<'q> {
    sqlx::query(OF_ALL).bind(after.0.cast_signed()).bind(limit)
}

pub(crate) fn of_tenant(tenant: &TenantName, after: Position, limit: i64) -> Query<'_> {
    sqlx::query(OF_TENANT).bind(tenant.as_str()).bind(after.0.cast_signed()).bind(limit)
}

pub(crate) fn read_all(rows: &[PgRow]) -> Result<Vec<RecordedEvent>, StoreError> {
    rows.iter().map(|row| read(row).map_err(StoreError::from)).collect()
}

fn read(row: &PgRow) -> Result<RecordedEvent, Damage> {
    let metadata: &str = row.try_get(6)?;
    Ok(RecordedEvent {
        position: Position(row.try_get::<i64, _>(0)?.cast_unsigned()),
        stream: row.try_get::<&str, _>(1)?.parse()?,
        version: Version(row.try_get::<i64, _>(2)?.cast_unsigned()),
        kind: row.try_get::<&str, _>(3)?.into(),
        schema_version: row.try_get::<i32, _>(4)?.try_into()?,
        payload: row.try_get::<&str, _>(5)?.into(),
        metadata: serde_json::from_str(metadata)?,
        recorded_at: time(row.try_get(7)?)?,
    })
}

pub(crate) fn time(micros: i64) -> Result<DateTime<Utc>, Damage> {
    DateTime::from_timestamp_micros(micros).ok_or(Damage::Time(micros))
}
