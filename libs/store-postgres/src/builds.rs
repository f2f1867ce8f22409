//! The SQL of the rows behind lists of builds.

use crate::{
    events::time,
    failure::Damage,
    progress::{Checkpoint, Progress},
    wakeups::CHANNEL,
};
use domain::build::BuildStatus;
use ports::{BuildSummary, Position, StoreError, TaskCounts};
use sqlx::{Acquire, PgConnection, Row, postgres::PgRow};
use std::collections::BTreeMap;

/// Rows with new or other labels than are stored, a row an id and its labels.
const RELABELLED: &str = "SELECT n.at FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (id, labels, at) \
     LEFT JOIN builds b ON b.id = n.id WHERE n.labels <> coalesce(b.labels, '{}')";
const UNLABEL: &str = "DELETE FROM build_labels WHERE id = ANY($1)";
const LABEL: &str = "INSERT INTO build_labels (id, tenant, name, value) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])";
const UPSERT: &str = "INSERT INTO builds (id, status, title, project, labels, tasks_total, tasks_completed, \
     cost_nano_usd, submitted_at, ended_at, tenant, submitted_by) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], \
     $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[]) \
     ON CONFLICT (id) DO UPDATE SET status = excluded.status, title = excluded.title, \
     project = excluded.project, labels = excluded.labels, tasks_total = excluded.tasks_total, \
     tasks_completed = excluded.tasks_completed, cost_nano_usd = excluded.cost_nano_usd, \
     submitted_at = excluded.submitted_at, ended_at = excluded.ended_at";

/// Stores rows; of two with the same id the later one.
pub(crate) async fn upsert(
    connection: &mut PgConnection,
    builds: &[BuildSummary],
) -> Result<(), sqlx::Error> {
    if builds.is_empty() {
        return Ok(());
    }
    // A statement may not change a row twice.
    let builds: BTreeMap<_, _> = builds.iter().map(|build| (build.id, build)).collect();
    let builds: Vec<&BuildSummary> = builds.into_values().collect();
    let ids: Vec<String> = builds.iter().map(|build| build.id.to_string()).collect();
    let labels = builds.iter().map(|build| json(&build.labels)).collect::<Result<Vec<_>, _>>()?;
    let titles = builds.iter().map(|build| json(&build.title)).collect::<Result<Vec<_>, _>>()?;
    index_labels(connection, &builds, &ids, &labels).await?;
    let numbers = |of: fn(&BuildSummary) -> i64| builds.iter().map(|build| of(build)).collect::<Vec<i64>>();
    sqlx::query(UPSERT)
        .bind(&ids)
        .bind(builds.iter().map(|build| build.status.as_str()).collect::<Vec<_>>())
        .bind(&titles)
        .bind(builds.iter().map(|build| build.project.as_str()).collect::<Vec<_>>())
        .bind(&labels)
        .bind(numbers(|build| build.tasks.total.into()))
        .bind(numbers(|build| build.tasks.completed.into()))
        .bind(numbers(|build| build.cost_nano_usd.cast_signed()))
        .bind(numbers(|build| build.submitted_at.timestamp_micros()))
        .bind(builds.iter().map(|build| build.ended_at.map(|at| at.timestamp_micros())).collect::<Vec<_>>())
        .bind(builds.iter().map(|build| build.tenant.as_str()).collect::<Vec<_>>())
        .bind(builds.iter().map(|build| build.submitted_by.as_deref()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Brings the labels' index up to date, before the rows are.
async fn index_labels(
    connection: &mut PgConnection,
    builds: &[&BuildSummary],
    ids: &[String],
    labels: &[String],
) -> Result<(), sqlx::Error> {
    let places: Vec<i64> =
        sqlx::query_scalar(RELABELLED).bind(ids).bind(labels).fetch_all(&mut *connection).await?;
    if places.is_empty() {
        return Ok(());
    }
    let (mut changed, mut owners, mut tenants) = (vec![], vec![], vec![]);
    let (mut names, mut values) = (vec![], vec![]);
    for place in places {
        let at = usize::try_from(place - 1).unwrap_or(usize::MAX);
        let (Some(build), Some(id)) = (builds.get(at), ids.get(at)) else { continue };
        changed.push(id);
        for (name, value) in &build.labels {
            owners.push(id);
            tenants.push(build.tenant.as_str());
            names.push(json(name)?);
            values.push(json(value)?);
        }
    }
    sqlx::query(UNLABEL).bind(&changed).execute(&mut *connection).await?;
    sqlx::query(LABEL).bind(&owners).bind(&tenants).bind(&names).bind(&values).execute(connection).await?;
    Ok(())
}

/// Empties the tables and begins a new era.
pub(crate) async fn begin_again(connection: &mut PgConnection) -> Result<Checkpoint, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let era: i64 = sqlx::query_scalar(
        "UPDATE checkpoints SET era = era + 1, position = 0 WHERE name = 'builds' RETURNING era",
    )
    .fetch_one(&mut *transaction)
    .await?;
    sqlx::query("TRUNCATE builds, build_labels, webhook_endpoints").execute(&mut *transaction).await?;
    let empty = Checkpoint { era: era.cast_unsigned(), position: Position(0) };
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(Progress::of_read_models(empty).to_string())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(empty)
}

/// What clients may fill freely as JSON, because text holds no NUL.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(crate) fn read_all(rows: &[PgRow]) -> Result<Vec<BuildSummary>, StoreError> {
    rows.iter().map(|row| read(row).map_err(StoreError::from)).collect()
}

fn read(row: &PgRow) -> Result<BuildSummary, Damage> {
    let status: &str = row.try_get(1)?;
    Ok(BuildSummary {
        id: row.try_get::<&str, _>(0)?.parse()?,
        status: BuildStatus::parse(status).ok_or_else(|| Damage::Status(status.to_owned()))?,
        title: serde_json::from_str(row.try_get(2)?)?,
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
