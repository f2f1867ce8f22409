//! The SQL of requests that may come twice. Each statement may be sent again when its answer was lost: whoever
//! holds a key already gets it again.

use crate::{
    failure::{Damage, store_error},
    sessions::Query,
    store::PostgresStore,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ports::{Abandoned, BeginRequest, Begun, Claim, Idempotency, KeptAnswer, StoreError};
use sqlx::{Row, postgres::PgRow};
use ulid::Ulid;

/// So often a key is looked at that was removed after it was found to be somebody else's.
const LOOKS: usize = 3;

#[async_trait]
impl Idempotency for PostgresStore {
    async fn begin(&self, request: BeginRequest) -> Result<Begun, StoreError> {
        let proposed = request.proposed.to_string();
        for _ in 0..LOOKS {
            let taken = self.readers().rows(|| take(&request, &proposed)).await?;
            if let Some(row) = taken.first() {
                return Ok(reserved(row)?);
            }
            let known = self.readers().rows(|| look(&request)).await?;
            if let Some(row) = known.first() {
                return Ok(standing(row, &request)?);
            }
        }
        Ok(Begun::InFlight)
    }

    async fn finish(
        &self,
        claim: &Claim,
        answer: KeptAnswer,
        kept_until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let headers = crate::builds::json(&answer.headers).map_err(store_error)?;
        let finish = || {
            let query = sqlx::query(
                "UPDATE idempotency SET status = $4, headers = $5, body = $6, kept_until = $7 \
                 WHERE scope = $1 AND key = $2 AND holder = $3 AND status IS NULL",
            );
            of(claim, query)
                .bind(i32::from(answer.status))
                .bind(&headers)
                .bind(&answer.body)
                .bind(kept_until.timestamp_micros())
        };
        self.readers().rows(finish).await.map(drop)
    }

    async fn abandon(&self, claim: &Claim, abandoned: Abandoned) -> Result<(), StoreError> {
        if abandoned == Abandoned::WithoutEffect {
            let forget = "DELETE FROM idempotency \
                 WHERE scope = $1 AND key = $2 AND holder = $3 AND status IS NULL AND reserved = holder";
            self.readers().rows(|| of(claim, sqlx::query(forget))).await?;
        }
        // What was reserved in a record that is still there may be in use.
        let let_go = "UPDATE idempotency SET held_until = 0 \
             WHERE scope = $1 AND key = $2 AND holder = $3 AND status IS NULL";
        self.readers().rows(|| of(claim, sqlx::query(let_go))).await.map(drop)
    }

    async fn prune(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let prune = || {
            sqlx::query(
                "DELETE FROM idempotency WHERE kept_until <= $1 AND (scope, key) IN \
                 (SELECT scope, key FROM idempotency WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2 \
                 FOR UPDATE SKIP LOCKED) RETURNING 1",
            )
            .bind(now.timestamp_micros())
            .bind(limit)
        };
        Ok(self.readers().rows(prune).await?.len())
    }
}

fn of<'q>(claim: &'q Claim, query: Query<'q>) -> Query<'q> {
    query.bind(&claim.key.scope).bind(&claim.key.key).bind(claim.holder.to_string())
}

fn take<'q>(request: &'q BeginRequest, proposed: &'q str) -> Query<'q> {
    sqlx::query(
        "INSERT INTO idempotency AS known (scope, key, fingerprint, reserved, holder, held_until, kept_until) \
         VALUES ($1, $2, $3, $4, $4, $5, $6) \
         ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
         reserved = CASE WHEN known.kept_until <= $7 THEN excluded.reserved ELSE known.reserved END, \
         holder = excluded.holder, held_until = excluded.held_until, kept_until = excluded.kept_until, \
         status = NULL, headers = NULL, body = NULL \
         WHERE known.kept_until <= $7 OR known.status IS NULL AND known.fingerprint = excluded.fingerprint \
         AND (known.held_until <= $7 OR known.holder = excluded.holder) \
         RETURNING reserved",
    )
    .bind(&request.key.scope)
    .bind(&request.key.key)
    .bind(&request.fingerprint.0[..])
    .bind(proposed)
    .bind(request.held_until.timestamp_micros())
    .bind(request.kept_until.timestamp_micros())
    .bind(request.now.timestamp_micros())
}

fn look(request: &BeginRequest) -> Query<'_> {
    sqlx::query("SELECT fingerprint, status, headers, body FROM idempotency WHERE scope = $1 AND key = $2")
        .bind(&request.key.scope)
        .bind(&request.key.key)
}

fn reserved(row: &PgRow) -> Result<Begun, Damage> {
    Ok(Begun::New { reserved: Ulid::from_string(row.try_get(0)?)? })
}

/// What is to be said of a key that somebody else has.
fn standing(row: &PgRow, request: &BeginRequest) -> Result<Begun, Damage> {
    if row.try_get::<&[u8], _>(0)? != request.fingerprint.0 {
        return Ok(Begun::Mismatch);
    }
    let Some(status) = row.try_get::<Option<i32>, _>(1)? else { return Ok(Begun::InFlight) };
    Ok(Begun::Replay(KeptAnswer {
        status: status.try_into()?,
        headers: serde_json::from_str(row.try_get(2)?)?,
        body: row.try_get(3)?,
    }))
}
