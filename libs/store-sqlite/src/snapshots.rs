//! The SQL of snapshots.

use crate::failure::Damage;
use ports::{Position, Snapshot, StreamId, Version};
use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

pub(crate) async fn load(pool: &SqlitePool, stream: StreamId) -> Result<Option<SqliteRow>, sqlx::Error> {
    sqlx::query("SELECT version, position, schema_version, state FROM snapshots WHERE stream = ?")
        .bind(stream.to_string())
        .fetch_optional(pool)
        .await
}

/// One of the same version is replaced: it may be unreadable.
pub(crate) async fn save(
    connection: &mut SqliteConnection,
    stream: StreamId,
    snapshot: &Snapshot,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO snapshots (stream, version, position, schema_version, state) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (stream) DO UPDATE SET version = excluded.version, position = excluded.position, \
         schema_version = excluded.schema_version, state = excluded.state \
         WHERE snapshots.version <= excluded.version",
    )
    .bind(stream.to_string())
    .bind(snapshot.version.0.cast_signed())
    .bind(snapshot.position.0.cast_signed())
    .bind(i64::from(snapshot.schema_version))
    .bind(snapshot.state.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) fn read(row: &SqliteRow) -> Result<Snapshot, Damage> {
    Ok(Snapshot {
        version: Version(row.try_get::<i64, _>(0)?.cast_unsigned()),
        position: Position(row.try_get::<i64, _>(1)?.cast_unsigned()),
        schema_version: row.try_get::<i64, _>(2)?.try_into()?,
        state: row.try_get(3)?,
    })
}
