//! The SQL of API keys.

use crate::{events::time, failure::Damage, sessions::Query};
use chrono::{DateTime, Utc};
use names::{KeyId, KeyPrefix, Scope, Scopes};
use ports::{ApiKey, KeyChange, KeyDigest, KeyFilter, KeyLimits};
use sqlx::{Row, postgres::PgRow};
use std::{collections::BTreeMap, num::NonZeroU32};

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

const BY_PREFIX: &str = keys!("prefix = $1");
const NEWEST: &str = keys!("id < $1 ORDER BY id DESC LIMIT $2");
const OF_TENANT: &str = keys!("tenant = $3 AND id < $1 ORDER BY id DESC LIMIT $2");

/// Whether it was stored. Sent twice it says the same.
pub(crate) fn create(key: &ApiKey) -> Query<'_> {
    let limit = |limit: Option<NonZeroU32>| limit.map(|most| i64::from(most.get()));
    let micros = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
    sqlx::query(
        "WITH stored AS ( \
           INSERT INTO api_keys (id, prefix, digest, name, tenant, scopes, requests_per_minute, open_builds, \
             created_at, created_by, expires_at, revoked_at, revoked_by, last_used_at) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
           ON CONFLICT (prefix) DO NOTHING RETURNING 1 \
         ) \
         SELECT EXISTS (SELECT FROM stored) OR EXISTS (SELECT FROM api_keys WHERE id = $1)",
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
}

/// The key as it stands then, revoked by whoever was first.
pub(crate) fn revoke(id: KeyId, change: &KeyChange) -> Query<'_> {
    sqlx::query(
        "UPDATE api_keys SET revoked_by = CASE WHEN revoked_at IS NULL THEN $2 ELSE revoked_by END, \
         revoked_at = coalesce(revoked_at, $1) WHERE id = $3 \
         RETURNING id, prefix, digest, name, tenant, scopes, requests_per_minute, open_builds, created_at, \
         created_by, expires_at, revoked_at, revoked_by, last_used_at",
    )
    .bind(change.at.timestamp_micros())
    .bind(&*change.by)
    .bind(id.to_string())
}

/// Uses as the columns of [`used`], in the order of ids: of two processes that note the same keys, none waits for
/// the other in a circle.
pub(crate) fn columns(uses: &[(KeyId, DateTime<Utc>)]) -> (Vec<String>, Vec<i64>) {
    let newest: BTreeMap<String, i64> = uses.iter().fold(BTreeMap::new(), |mut newest, (id, at)| {
        let known = newest.entry(id.to_string()).or_insert(i64::MIN);
        *known = at.timestamp_micros().max(*known);
        newest
    });
    newest.into_iter().unzip()
}

/// Locks the rows in the order of ids before it changes them.
pub(crate) fn used<'q>(ids: &'q [String], times: &'q [i64]) -> Query<'q> {
    sqlx::query(
        "WITH used AS ( \
           SELECT k.id, u.at FROM api_keys k \
           JOIN unnest($1::text[], $2::bigint[]) AS u (id, at) ON u.id = k.id \
           WHERE k.id = ANY($1) ORDER BY k.id FOR UPDATE OF k \
         ) \
         UPDATE api_keys SET last_used_at = greatest(last_used_at, used.at) FROM used WHERE api_keys.id = used.id",
    )
    .bind(ids)
    .bind(times)
}

pub(crate) fn by_prefix(prefix: &KeyPrefix) -> Query<'_> {
    sqlx::query(BY_PREFIX).bind(prefix.as_str())
}

pub(crate) fn newest(filter: &KeyFilter, limit: i64) -> Query<'_> {
    let before = filter.before.map_or_else(|| END.to_owned(), |id| id.to_string());
    match &filter.tenant {
        Some(tenant) => sqlx::query(OF_TENANT).bind(before).bind(limit).bind(tenant.as_str()),
        None => sqlx::query(NEWEST).bind(before).bind(limit),
    }
}

/// Asked once, at the start.
pub(crate) fn any_usable<'q>(now: DateTime<Utc>) -> Query<'q> {
    sqlx::query(
        "SELECT EXISTS (SELECT FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1))",
    )
    .bind(now.timestamp_micros())
}

pub(crate) fn read(row: &PgRow) -> Result<ApiKey, Damage> {
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
