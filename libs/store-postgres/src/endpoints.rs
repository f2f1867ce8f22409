//! The SQL of webhook endpoints and their secrets. Each statement may be sent again when its answer was lost.

use crate::{
    builds::json,
    failure::{Damage, store_error},
    store::{PostgresStore, sql_limit},
};
use async_trait::async_trait;
use domain::{EndpointId, endpoint::EndpointState};
use names::TenantName;
use ports::{
    EndpointFilter, EndpointList, EndpointPage, EndpointRow, EndpointSecrets, Kept, SealedSecrets,
    StoreError, Version,
};
use sqlx::{Row, postgres::PgRow};

/// Sorts behind every id.
const END: &str = "whk_~";

const OF_TENANT: &str = "SELECT id, version, endpoint FROM webhook_endpoints \
     WHERE tenant = $1 AND id < $2 AND NOT deleted AND build IS NULL ORDER BY id DESC LIMIT $3";
const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM webhook_endpoints \
     WHERE tenant = $1 AND NOT deleted AND build IS NULL LIMIT $2) AS some";
const ALIVE: &str = "SELECT id, version, endpoint FROM webhook_endpoints \
     WHERE id > $1 AND NOT deleted ORDER BY id LIMIT $2";
const BY_IDS: &str = "SELECT id, version, endpoint FROM webhook_endpoints WHERE id = ANY($1) ORDER BY id";
const SECRETS: &str = "SELECT version, sealed FROM webhook_secrets WHERE endpoint = $1";
const PUT_ROWS: &str = "INSERT INTO webhook_endpoints (id, tenant, version, build, deleted, endpoint) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::boolean[], $6::text[]) \
     ON CONFLICT (id) DO UPDATE SET version = excluded.version, deleted = excluded.deleted, \
     endpoint = excluded.endpoint WHERE webhook_endpoints.version < excluded.version";
/// Whether they are stored now. What is sealed is never the same twice.
const PUT_SECRETS: &str = "WITH stored AS ( \
       INSERT INTO webhook_secrets (endpoint, version, sealed) VALUES ($1, $2, $3) \
       ON CONFLICT (endpoint) DO UPDATE SET version = excluded.version, sealed = excluded.sealed \
       WHERE webhook_secrets.version < excluded.version RETURNING 1 \
     ) \
     SELECT EXISTS (SELECT FROM stored) \
         OR EXISTS (SELECT FROM webhook_secrets WHERE endpoint = $1 AND version = $2 AND sealed = $3)";

fn read(row: &PgRow) -> Result<EndpointRow, Damage> {
    Ok(EndpointRow {
        id: row.try_get::<&str, _>(0)?.parse()?,
        version: Version(row.try_get::<i64, _>(1)?.cast_unsigned()),
        endpoint: serde_json::from_str(row.try_get(2)?)?,
    })
}

fn read_all(rows: &[PgRow]) -> Result<Vec<EndpointRow>, StoreError> {
    rows.iter().map(|row| read(row).map_err(StoreError::from)).collect()
}

#[async_trait]
impl EndpointList for PostgresStore {
    async fn endpoints(&self, filter: &EndpointFilter) -> Result<EndpointPage, StoreError> {
        let before = filter.before.map_or_else(|| END.to_owned(), |id| id.to_string());
        let limit = sql_limit(filter.limit).saturating_add(1);
        let query = || sqlx::query(OF_TENANT).bind(filter.tenant.as_str()).bind(&before).bind(limit);
        let mut endpoints = read_all(&self.readers().rows(query).await?)?;
        let more = endpoints.len() > filter.limit;
        endpoints.truncate(filter.limit);
        Ok(EndpointPage { endpoints, more })
    }

    async fn count_endpoints(&self, tenant: &TenantName, most: usize) -> Result<usize, StoreError> {
        let query = || sqlx::query(COUNT).bind(tenant.as_str()).bind(sql_limit(most));
        let rows = self.readers().rows(query).await?;
        let count = rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0)).map_err(store_error)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn all_endpoints(
        &self,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        let after = after.map_or_else(String::new, |id| id.to_string());
        let query = || sqlx::query(ALIVE).bind(&after).bind(sql_limit(limit));
        read_all(&self.readers().rows(query).await?)
    }

    async fn endpoint_rows(&self, ids: &[EndpointId]) -> Result<Vec<EndpointRow>, StoreError> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        read_all(&self.readers().rows(|| sqlx::query(BY_IDS).bind(&ids)).await?)
    }

    async fn put_endpoints(&self, rows: &[EndpointRow]) -> Result<(), StoreError> {
        let mut rows: Vec<&EndpointRow> = rows.iter().collect();
        // In the order of ids, of two processes none waits for the other in a circle.
        rows.sort_by_key(|row| row.id);
        let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
        let tenants: Vec<&str> = rows.iter().map(|row| row.endpoint.tenant.as_str()).collect();
        let versions: Vec<i64> = rows.iter().map(|row| row.version.0.cast_signed()).collect();
        let of_build = |row: &&EndpointRow| row.endpoint.spec.build.map(|build| build.to_string());
        let builds: Vec<Option<String>> = rows.iter().map(of_build).collect();
        let deleted: Vec<bool> =
            rows.iter().map(|row| row.endpoint.state == EndpointState::Deleted).collect();
        let endpoints: Vec<String> =
            rows.iter().map(|row| json(&row.endpoint)).collect::<Result<_, _>>().map_err(store_error)?;
        let query = || {
            let query = sqlx::query(PUT_ROWS).bind(&ids).bind(&tenants).bind(&versions);
            query.bind(&builds).bind(&deleted).bind(&endpoints)
        };
        self.readers().rows(query).await.map(drop)
    }
}

#[async_trait]
impl EndpointSecrets for PostgresStore {
    async fn put_secrets(&self, id: EndpointId, secrets: &SealedSecrets) -> Result<Kept, StoreError> {
        let query = || {
            let query = sqlx::query(PUT_SECRETS).bind(id.to_string());
            query.bind(secrets.version.0.cast_signed()).bind(secrets.sealed.as_slice())
        };
        let rows = self.readers().rows(query).await?;
        let stored = rows.first().map_or(Ok(false), |row| row.try_get(0)).map_err(store_error)?;
        Ok(if stored { Kept::Stored } else { Kept::Outdated })
    }

    async fn secrets(&self, id: EndpointId) -> Result<Option<SealedSecrets>, StoreError> {
        let rows = self.readers().rows(|| sqlx::query(SECRETS).bind(id.to_string())).await?;
        let read = |row: &PgRow| {
            let version = Version(row.try_get::<i64, _>(0)?.cast_unsigned());
            Ok(SealedSecrets { version, sealed: row.try_get(1)? })
        };
        rows.first().map(read).transpose().map_err(store_error)
    }

    async fn remove_secrets(&self, id: EndpointId) -> Result<(), StoreError> {
        let query = || sqlx::query("DELETE FROM webhook_secrets WHERE endpoint = $1").bind(id.to_string());
        self.readers().rows(query).await.map(drop)
    }
}
