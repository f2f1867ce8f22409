//! The SQL of webhook endpoints and their secrets.

use crate::{
    failure::{Damage, store_error},
    store::{SqliteStore, sql_limit},
    writer::Request,
};
use async_trait::async_trait;
use domain::{EndpointId, endpoint::EndpointState};
use names::TenantName;
use ports::{
    EndpointFilter, EndpointList, EndpointPage, EndpointRow, EndpointSecrets, Kept, SealedSecrets,
    StoreError, Version,
};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteRow};

/// Sorts behind every id.
const END: &str = "whk_~";

const OF_TENANT: &str = "SELECT id, version, endpoint FROM webhook_endpoints \
     WHERE tenant = ? AND id < ? AND deleted = 0 AND build IS NULL ORDER BY id DESC LIMIT ?";
const COUNT: &str = "SELECT count(*) FROM (SELECT 1 FROM webhook_endpoints \
     WHERE tenant = ? AND deleted = 0 AND build IS NULL LIMIT ?)";
const ALIVE: &str = "SELECT id, version, endpoint FROM webhook_endpoints \
     WHERE id > ? AND deleted = 0 ORDER BY id LIMIT ?";
const BY_IDS: &str = "SELECT id, version, endpoint FROM webhook_endpoints \
     WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id";
const SECRETS: &str = "SELECT version, sealed FROM webhook_secrets WHERE endpoint = ?";

/// What must not scan a table.
#[cfg(test)]
pub(crate) const QUERIES: [&str; 5] = [OF_TENANT, COUNT, ALIVE, BY_IDS, SECRETS];

/// A change, for the task that writes.
#[derive(Debug)]
pub(crate) enum Change {
    Rows(Vec<EndpointRow>),
    Put(EndpointId, SealedSecrets),
    Remove(EndpointId),
}

impl Change {
    /// Makes the change. Returns how many rows it changed.
    pub(crate) async fn apply(&self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        match self {
            Self::Rows(rows) => put_rows(connection, rows).await,
            Self::Put(id, secrets) => put(connection, *id, secrets).await,
            Self::Remove(id) => remove(connection, *id).await,
        }
    }
}

async fn put_rows(connection: &mut SqliteConnection, rows: &[EndpointRow]) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut changed = 0;
    for row in rows {
        let endpoint =
            serde_json::to_string(&row.endpoint).map_err(|error| sqlx::Error::Encode(error.into()))?;
        let done = sqlx::query(
            "INSERT INTO webhook_endpoints (id, tenant, version, build, deleted, endpoint) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET version = excluded.version, \
             deleted = excluded.deleted, endpoint = excluded.endpoint \
             WHERE webhook_endpoints.version < excluded.version",
        )
        .bind(row.id.to_string())
        .bind(row.endpoint.tenant.as_str())
        .bind(row.version.0.cast_signed())
        .bind(row.endpoint.spec.build.map(|build| build.to_string()))
        .bind(i64::from(row.endpoint.state == EndpointState::Deleted))
        .bind(endpoint)
        .execute(&mut *transaction)
        .await?;
        changed += done.rows_affected();
    }
    transaction.commit().await?;
    Ok(changed)
}

async fn put(
    connection: &mut SqliteConnection,
    id: EndpointId,
    secrets: &SealedSecrets,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO webhook_secrets (endpoint, version, sealed) VALUES (?, ?, ?) \
         ON CONFLICT (endpoint) DO UPDATE SET version = excluded.version, sealed = excluded.sealed \
         WHERE webhook_secrets.version < excluded.version",
    )
    .bind(id.to_string())
    .bind(secrets.version.0.cast_signed())
    .bind(secrets.sealed.as_slice())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

async fn remove(connection: &mut SqliteConnection, id: EndpointId) -> Result<u64, sqlx::Error> {
    let query = sqlx::query("DELETE FROM webhook_secrets WHERE endpoint = ?").bind(id.to_string());
    Ok(query.execute(connection).await?.rows_affected())
}

pub(crate) async fn clear(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM webhook_endpoints").execute(connection).await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<EndpointRow, Damage> {
    Ok(EndpointRow {
        id: row.try_get::<&str, _>(0)?.parse()?,
        version: Version(row.try_get::<i64, _>(1)?.cast_unsigned()),
        endpoint: serde_json::from_str(row.try_get(2)?)?,
    })
}

fn read_all(rows: &[SqliteRow]) -> Result<Vec<EndpointRow>, StoreError> {
    rows.iter().map(|row| read(row).map_err(StoreError::from)).collect()
}

impl SqliteStore {
    async fn change_endpoints(&self, change: Change) -> Result<u64, StoreError> {
        self.ask(|answer| Request::Endpoints(change, answer)).await?
    }
}

#[async_trait]
impl EndpointList for SqliteStore {
    async fn endpoints(&self, filter: &EndpointFilter) -> Result<EndpointPage, StoreError> {
        let before = filter.before.map_or_else(|| END.to_owned(), |id| id.to_string());
        let query = sqlx::query(OF_TENANT).bind(filter.tenant.as_str()).bind(before);
        let query = query.bind(sql_limit(filter.limit).saturating_add(1));
        let mut endpoints = read_all(&query.fetch_all(self.readers()).await.map_err(store_error)?)?;
        let more = endpoints.len() > filter.limit;
        endpoints.truncate(filter.limit);
        Ok(EndpointPage { endpoints, more })
    }

    async fn count_endpoints(&self, tenant: &TenantName, most: usize) -> Result<usize, StoreError> {
        let query = sqlx::query_scalar(COUNT).bind(tenant.as_str()).bind(sql_limit(most));
        let count: i64 = query.fetch_one(self.readers()).await.map_err(store_error)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn all_endpoints(
        &self,
        after: Option<EndpointId>,
        limit: usize,
    ) -> Result<Vec<EndpointRow>, StoreError> {
        let after = after.map_or_else(String::new, |id| id.to_string());
        let query = sqlx::query(ALIVE).bind(after).bind(sql_limit(limit));
        read_all(&query.fetch_all(self.readers()).await.map_err(store_error)?)
    }

    async fn endpoint_rows(&self, ids: &[EndpointId]) -> Result<Vec<EndpointRow>, StoreError> {
        let ids = serde_json::to_string(ids).map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        read_all(&sqlx::query(BY_IDS).bind(ids).fetch_all(self.readers()).await.map_err(store_error)?)
    }

    async fn put_endpoints(&self, rows: &[EndpointRow]) -> Result<(), StoreError> {
        self.change_endpoints(Change::Rows(rows.to_vec())).await.map(drop)
    }
}

#[async_trait]
impl EndpointSecrets for SqliteStore {
    async fn put_secrets(&self, id: EndpointId, secrets: &SealedSecrets) -> Result<Kept, StoreError> {
        let stored = self.change_endpoints(Change::Put(id, secrets.clone())).await?;
        Ok(if stored == 0 { Kept::Outdated } else { Kept::Stored })
    }

    async fn secrets(&self, id: EndpointId) -> Result<Option<SealedSecrets>, StoreError> {
        let query = sqlx::query(SECRETS).bind(id.to_string());
        let row = query.fetch_optional(self.readers()).await.map_err(store_error)?;
        let read = |row: SqliteRow| {
            let version = Version(row.try_get::<i64, _>(0)?.cast_unsigned());
            Ok(SealedSecrets { version, sealed: row.try_get(1)? })
        };
        row.map(read).transpose().map_err(store_error)
    }

    async fn remove_secrets(&self, id: EndpointId) -> Result<(), StoreError> {
        self.change_endpoints(Change::Remove(id)).await.map(drop)
    }
}
