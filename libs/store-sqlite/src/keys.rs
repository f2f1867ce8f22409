//! The SQL of API keys.

use crate::{events::time, failure::Damage};
use chrono::{DateTime, Utc};
use names::{KeyId, KeyPrefix, Scope, Scopes};
use ports::{ApiKey, KeyChange, KeyDigest, KeyFilter, KeyLimits};
use sqlx::{Connection, Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use std::num::NonZeroU32;

macro_rules! keys {
    ($condition:literal) => {
        concat!(
            "SELECT id, prefix, digest, name, tenant, scopes, requests_per_minute, open_builds, created_at, \
             created_by, expires_at, revoked_at, revoked_by, last_used_at FROM api_keys WHERE ",
            $condition
        )
    };
}

/// Sorts behind every id.
const END: &str = "key_~";

const BY_PREFIX: &str = keys!("prefix = ?");
const BY_ID: &str = keys!("id = ?");
const NEWEST: &str = keys!("id < ? ORDER BY id DESC LIMIT ?");
const OF_TENANT: &str = keys!("tenant = ? AND id < ? ORDER BY id DESC LIMIT ?");

/// What must not scan the table. Whether any key can be used is asked once, at the start.
#[cfg(test)]
pub(crate) const QUERIES: [&str; 4] = [BY_PREFIX, BY_ID, NEWEST, OF_TENANT];

/// A change, for the task that writes.
#[derive(Debug)]
pub(crate) enum Change {
    Create(Box<ApiKey>),
    Revoke(KeyId, KeyChange),
    Used(Vec<(KeyId, DateTime<Utc>)>),
}

impl Change {
    /// Makes the change. Returns how many rows it changed.
    pub(crate) async fn apply(&self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        match self {
            Self::Create(key) => create(connection, key).await,
            Self::Revoke(id, change) => revoke(connection, *id, change).await,
            Self::Used(uses) => used(connection, uses).await,
        }
    }
}

async fn create(connection: &mut SqliteConnection, key: &ApiKey) -> Result<u64, sqlx::Error> {
    let limit = |limit: Option<NonZeroU32>| limit.map(|most| i64::from(most.get()));
    let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
    let done = sqlx::query(
        "INSERT INTO api_keys (id, prefix, digest, name, tenant, scopes, requests_per_minute, open_builds, \
         created_at, created_by, expires_at, revoked_at, revoked_by, last_used_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (prefix) DO NOTHING",
    )
    .bind(key.id.to_string())
    .bind(key.prefix.as_str())
    .bind(key.digest.0.as_slice())
    .bind(key.name.as_str())
    .bind(key.tenant.as_str())
    .bind(key.scopes.to_string())
    .bind(limit(key.limits.requests_per_minute))
    .bind(limit(key.limits.open_builds))
    .bind(key.created.at.timestamp_micros())
    .bind(&*key.created.by)
    .bind(micros(key.expires_at))
    .bind(micros(key.revoked.as_ref().map(|change| change.at)))
    .bind(key.revoked.as_ref().map(|change| &*change.by))
    .bind(micros(key.last_used_at))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

async fn revoke(
    connection: &mut SqliteConnection,
    id: KeyId,
    change: &KeyChange,
) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("UPDATE api_keys SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(change.at.timestamp_micros())
            .bind(&*change.by)
            .bind(id.to_string())
            .execute(connection)
            .await?;
    Ok(done.rows_affected())
}

async fn used(
    connection: &mut SqliteConnection,
    uses: &[(KeyId, DateTime<Utc>)],
) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut changed = 0;
    for (id, at) in uses {
        let done =
            sqlx::query("UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?")
                .bind(at.timestamp_micros())
                .bind(id.to_string())
                .execute(&mut *transaction)
                .await?;
        changed += done.rows_affected();
    }
    transaction.commit().await?;
    Ok(changed)
}

pub(crate) async fn by_prefix(
    pool: &SqlitePool,
    prefix: &KeyPrefix,
) -> Result<Option<SqliteRow>, sqlx::Error> {
    sqlx::query(BY_PREFIX).bind(prefix.as_str()).fetch_optional(pool).await
}

pub(crate) async fn by_id(pool: &SqlitePool, id: KeyId) -> Result<Option<SqliteRow>, sqlx::Error> {
    sqlx::query(BY_ID).bind(id.to_string()).fetch_optional(pool).await
}

pub(crate) async fn newest(
    pool: &SqlitePool,
    filter: &KeyFilter,
    limit: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let before = filter.before.map_or_else(|| END.to_owned(), |id| id.to_string());
    let query = match &filter.tenant {
        Some(tenant) => sqlx::query(OF_TENANT).bind(tenant.as_str()),
        None => sqlx::query(NEWEST),
    };
    query.bind(before).bind(limit).fetch_all(pool).await
}

pub(crate) async fn any_usable(pool: &SqlitePool, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?))",
    )
    .bind(now.timestamp_micros())
    .fetch_one(pool)
    .await
}

pub(crate) fn read(row: &SqliteRow) -> Result<ApiKey, Damage> {
    let text = |column: usize| row.try_get::<&str, _>(column);
    let moment = |column: usize| row.try_get::<Option<i64>, _>(column)?.map(time).transpose();
    let limit = |column: usize| -> Result<Option<NonZeroU32>, Damage> {
        let most = row.try_get::<Option<i64>, _>(column)?.map(u32::try_from).transpose()?;
        Ok(most.and_then(NonZeroU32::new))
    };
    let digest: &[u8] = row.try_get(2)?;
    let revoked_by: Option<&str> = row.try_get(12)?;
    Ok(ApiKey {
        id: text(0)?.parse().map_err(|_| Damage::Key("its id"))?,
        prefix: text(1)?.parse().map_err(|_| Damage::Key("its prefix"))?,
        digest: KeyDigest(digest.try_into().map_err(|_| Damage::Key("its digest"))?),
        name: text(3)?.parse().map_err(|_| Damage::Key("its name"))?,
        tenant: text(4)?.parse()?,
        scopes: scopes(text(5)?),
        limits: KeyLimits { requests_per_minute: limit(6)?, open_builds: limit(7)? },
        created: KeyChange { at: time(row.try_get(8)?)?, by: text(9)?.into() },
        expires_at: moment(10)?,
        revoked: moment(11)?.map(|at| KeyChange { at, by: revoked_by.unwrap_or_default().into() }),
        last_used_at: moment(13)?,
    })
}

/// What a later release allows is not allowed here.
fn scopes(text: &str) -> Scopes {
    text.split(' ').filter_map(|name| name.parse::<Scope>().ok()).collect()
}
