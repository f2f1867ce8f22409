//! The SQL of the rows behind lists of builds.

use crate::{events::time, failure::Damage, insert::Insert};
use domain::build::BuildStatus;
use ports::{BuildSummary, Position, TaskCounts};
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use std::sync::LazyLock;

/// The columns that [`read`] reads, of the table named `b`.
pub(crate) const COLUMNS: &str = "b.id, b.status, b.title, b.project, b.labels, b.tasks_total, b.tasks_completed, \
     b.cost_nano_usd, b.submitted_at, b.ended_at, b.tenant, b.submitted_by";

/// The name of the checkpoint of `builds`.
const CHECKPOINT: &str = "builds";

static UPSERT: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO builds (id, status, title, project, labels, tasks_total, tasks_completed, cost_nano_usd, \
         submitted_at, ended_at, tenant, submitted_by)",
        12,
        "ON CONFLICT (id) DO UPDATE SET status = excluded.status, title = excluded.title, \
         project = excluded.project, labels = excluded.labels, tasks_total = excluded.tasks_total, \
         tasks_completed = excluded.tasks_completed, cost_nano_usd = excluded.cost_nano_usd, \
         submitted_at = excluded.submitted_at, ended_at = excluded.ended_at",
    )
});

pub(crate) async fn upsert(
    connection: &mut SqliteConnection,
    builds: &[BuildSummary],
) -> Result<(), sqlx::Error> {
    let rows = builds
        .iter()
        .map(|build| Ok((build, serde_json::to_string(&build.labels)?)))
        .collect::<Result<Vec<_>, serde_json::Error>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    UPSERT
        .run(connection, &rows, |query, (build, labels)| {
            query
                .bind(build.id.to_string())
                .bind(build.status.as_str())
                .bind(build.title.clone())
                .bind(build.project.as_str().to_owned())
                .bind(labels.clone())
                .bind(i64::from(build.tasks.total))
                .bind(i64::from(build.tasks.completed))
                .bind(build.cost_nano_usd.cast_signed())
                .bind(build.submitted_at.timestamp_micros())
                .bind(build.ended_at.map(|at| at.timestamp_micros()))
                .bind(build.tenant.as_str().to_owned())
                .bind(build.submitted_by.as_deref().map(ToOwned::to_owned))
        })
        .await
}

pub(crate) async fn clear(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM builds").execute(&mut *connection).await?;
    sqlx::query("DELETE FROM build_labels").execute(connection).await?;
    Ok(())
}

pub(crate) async fn set_checkpoint(
    connection: &mut SqliteConnection,
    position: Position,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO checkpoints (name, position) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET position = excluded.position",
    )
    .bind(CHECKPOINT)
    .bind(position.0.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn checkpoint(connection: &mut SqliteConnection) -> Result<Position, sqlx::Error> {
    let position: Option<i64> = sqlx::query_scalar("SELECT position FROM checkpoints WHERE name = ?")
        .bind(CHECKPOINT)
        .fetch_optional(connection)
        .await?;
    Ok(Position(position.unwrap_or(0).cast_unsigned()))
}

pub(crate) fn read(row: &SqliteRow) -> Result<BuildSummary, Damage> {
    let status: &str = row.try_get(1)?;
    Ok(BuildSummary {
        id: row.try_get::<&str, _>(0)?.parse()?,
        status: BuildStatus::parse(status).ok_or_else(|| Damage::Status(status.to_owned()))?,
        title: row.try_get(2)?,
        project: row.try_get::<&str, _>(3)?.parse()?,
        labels: serde_json::from_str(row.try_get(4)?)?,
        tasks: TaskCounts {
            total: row.try_get::<i64, _>(5)?.try_into()?,
            completed: row.try_get::<i64, _>(6)?.try_into()?,
        },
        cost_nano_usd: row.try_get::<i64, _>(7)?.cast_unsigned(),
        submitted_at: time(row.try_get(8)?)?,
        ended_at: row.try_get::<Option<i64>, _>(9)?.map(time).transpose()?,
        tenant: row.try_get::<&str, _>(10)?.parse()?,
        submitted_by: row.try_get::<Option<&str>, _>(11)?.map(Into::into),
    })
}
