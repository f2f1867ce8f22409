//! The SQL of the event log.

use crate::{failure::Damage, insert::Insert};
use chrono::{DateTime, Utc};
use names::TenantName;
use ports::{Metadata, Position, RecordedEvent, StreamId, Version};
use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use std::sync::LazyLock;

pub(crate) const HEAD: &str = "SELECT coalesce(max(position), 0) FROM events";
pub(crate) const VERSIONS: &str = "SELECT (SELECT coalesce(max(version), 0) FROM events WHERE stream = value) \
     FROM json_each(?) ORDER BY key";
pub(crate) const OF_STREAM: &str = "SELECT position, stream, version, kind, schema_version, payload, metadata, recorded_at \
     FROM events WHERE stream = ? AND version > ? ORDER BY version LIMIT ?";
pub(crate) const OF_ALL: &str = "SELECT position, stream, version, kind, schema_version, payload, metadata, recorded_at \
     FROM events WHERE position > ? ORDER BY position LIMIT ?";

/// The index is named because the planner does not know how few events of a long log a tenant may have.
pub(crate) const OF_TENANT: &str = "SELECT position, stream, version, kind, schema_version, payload, metadata, recorded_at \
     FROM events INDEXED BY events_by_tenant WHERE tenant = ? AND position > ? ORDER BY position LIMIT ?";

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    let columns = "position, stream, version, kind, schema_version, payload, metadata, recorded_at, tenant";
    Insert::new(&format!("INSERT INTO events ({columns})"), 9, "")
});

pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<Position, sqlx::Error> {
    let head: i64 = sqlx::query_scalar(HEAD).fetch_one(connection).await?;
    Ok(Position(head.cast_unsigned()))
}

/// The version of each stream, 0 for those without events.
pub(crate) async fn versions(
    connection: &mut SqliteConnection,
    streams: &[StreamId],
) -> Result<Vec<(StreamId, Version)>, sqlx::Error> {
    let names: Vec<String> = streams.iter().map(ToString::to_string).collect();
    let names = serde_json::to_string(&names).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let versions: Vec<i64> = sqlx::query_scalar(VERSIONS).bind(names).fetch_all(connection).await?;
    Ok(streams
        .iter()
        .copied()
        .zip(versions.into_iter().map(|version| Version(version.cast_unsigned())))
        .collect())
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    events: &[RecordedEvent],
) -> Result<(), sqlx::Error> {
    let metadata = |metadata: &Metadata| {
        serde_json::to_string(metadata).map_err(|error| sqlx::Error::Encode(error.into()))
    };
    let rows = events
        .iter()
        .map(|event| Ok((event, metadata(&event.metadata)?)))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    INSERT
        .run(connection, &rows, |query, (event, metadata)| {
            query
                .bind(event.position.0.cast_signed())
                .bind(event.stream.to_string())
                .bind(event.version.0.cast_signed())
                .bind(event.kind.clone())
                .bind(i64::from(event.schema_version))
                .bind(event.payload.clone())
                .bind(metadata.clone())
                .bind(event.recorded_at.timestamp_micros())
                .bind(event.metadata.tenant.as_str().to_owned())
        })
        .await
}

pub(crate) async fn of_stream(
    pool: &SqlitePool,
    stream: StreamId,
    after: Version,
    limit: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let query = sqlx::query(OF_STREAM).bind(stream.to_string()).bind(after.0.cast_signed());
    query.bind(limit).fetch_all(pool).await
}

pub(crate) async fn of_all(
    pool: &SqlitePool,
    after: Position,
    limit: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(OF_ALL).bind(after.0.cast_signed()).bind(limit).fetch_all(pool).await
}

pub(crate) async fn of_tenant(
    pool: &SqlitePool,
    tenant: &TenantName,
    after: Position,
    limit: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let query = sqlx::query(OF_TENANT).bind(tenant.as_str()).bind(after.0.cast_signed());
    query.bind(limit).fetch_all(pool).await
}

pub(crate) fn read(row: &SqliteRow) -> Result<RecordedEvent, Damage> {
    let metadata: &str = row.try_get(6)?;
    Ok(RecordedEvent {
        position: Position(row.try_get::<i64, _>(0)?.cast_unsigned()),
        stream: row.try_get::<&str, _>(1)?.parse()?,
        version: Version(row.try_get::<i64, _>(2)?.cast_unsigned()),
        kind: row.try_get::<&str, _>(3)?.into(),
        schema_version: row.try_get::<i64, _>(4)?.try_into()?,
        payload: row.try_get::<&str, _>(5)?.into(),
        metadata: serde_json::from_str(metadata)?,
        recorded_at: time(row.try_get(7)?)?,
    })
}

pub(crate) fn time(micros: i64) -> Result<DateTime<Utc>, Damage> {
    DateTime::from_timestamp_micros(micros).ok_or(Damage::Time(micros))
}
