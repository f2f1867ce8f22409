//! The SQL of snapshots.

use crate::{failure::Damage, sessions::Query};
use ports::{Position, Snapshot, Version};
use sqlx::{Row, postgres::PgRow};

pub(crate) fn load(stream: &str) -> Query<'_> {
    sqlx::query("SELECT version, position, schema_version, state FROM snapshots WHERE stream = $1")
        .bind(stream)
}

/// Sent twice it does the same. One of the same version is replaced: it may be unreadable.
pub(crate) fn save<'q>(stream: &'q str, snapshot: &'q Snapshot) -> Query<'q> {
    sqlx::query(
        "INSERT INTO snapshots (stream, version, position, schema_version, state) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (stream) DO UPDATE SET version = excluded.version, position = excluded.position, \
         schema_version = excluded.schema_version, state = excluded.state \
         WHERE snapshots.version <= excluded.version",
    )
    .bind(stream)
    .bind(snapshot.version.0.cast_signed())
    .bind(snapshot.position.0.cast_signed())
    .bind(i32::from(snapshot.schema_version))
    .bind(&snapshot.state)
}

pub(crate) fn read(row: &PgRow) -> Result<Snapshot, Damage> {
    Ok(Snapshot {
        version: Version(row.try_get::<i64, _>(0)?.cast_unsigned()),
        position: Position(row.try_get::<i64, _>(1)?.cast_unsigned()),
        schema_version: row.try_get::<i32, _>(2)?.try_into()?,
        state: row.try_get(3)?,
    })
}
