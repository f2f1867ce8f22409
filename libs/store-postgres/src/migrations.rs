//! The steps from an empty database to the tables of this version.

use sqlx::{
    PgConnection, Row, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The oldest supported version, as `server_version_num` says it.
const OLDEST: i32 = 150_000;

/// Why a database is no place for a store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsuitable {
    #[error("PostgreSQL 15 or later is needed; this is {0}")]
    Old(String),
    #[error("the database's encoding must be UTF8, not {0}")]
    Encoding(String),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Brings a database up to date. Several processes may do so at once: one works, the others wait.
pub(crate) async fn run(connection: &mut PgConnection) -> Result<(), Unsuitable> {
    let server = sqlx::query(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
         current_setting('server_encoding')",
    );
    let server = server.fetch_one(&mut *connection).await?;
    if server.try_get::<i32, _>(0)? < OLDEST {
        return Err(Unsuitable::Old(server.try_get(1)?));
    }
    let encoding: String = server.try_get(2)?;
    if encoding != "UTF8" {
        return Err(Unsuitable::Encoding(encoding));
    }
    Ok(migrator().run(connection).await?)
}

/// Each file of `migrations/postgres` is one step.
fn migrator() -> Migrator {
    let step = |version, description: &'static str, sql: &'static str| {
        Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    // Not `sqlx::migrate!`: its macro crate would compile the drivers a second time, for the compiler's own use.
    let mut migrator = Migrator::with_migrations(vec![
        step(1, "events and builds", include_str!("../../../migrations/postgres/0001_events_and_builds.sql")),
        step(2, "snapshots", include_str!("../../../migrations/postgres/0002_snapshots.sql")),
        step(3, "appends notify", include_str!("../../../migrations/postgres/0003_appends_notify.sql")),
        step(4, "tenants and keys", include_str!("../../../migrations/postgres/0004_tenants_and_keys.sql")),
        step(5, "idempotency", include_str!("../../../migrations/postgres/0005_idempotency.sql")),
        step(6, "webhook endpoints", include_str!("../../../migrations/postgres/0006_webhook_endpoints.sql")),
        step(7, "deliveries", include_str!("../../../migrations/postgres/0007_deliveries.sql")),
    ]);
    // While a fleet is upgraded, old processes start over the tables of the new ones: see the folder's README.
    migrator.set_ignore_missing(true);
    migrator
}
