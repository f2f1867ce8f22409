//! The SQL of requests that may come twice. All of it goes through the writer, so nobody is in between.

use crate::{failure::Damage, store::SqliteStore, writer::Request};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ports::{Abandoned, BeginRequest, Begun, Claim, Idempotency, IdempotencyKey, KeptAnswer, StoreError};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteRow};
use ulid::Ulid;

/// What the writer is asked.
#[derive(Debug)]
pub(crate) enum Change {
    Begin(BeginRequest),
    Finish(Claim, KeptAnswer, DateTime<Utc>),
    Abandon(Claim, Abandoned),
    Prune(DateTime<Utc>, i64),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Done {
    Begun(Begun),
    Settled,
    Pruned(u64),
}

#[async_trait]
impl Idempotency for SqliteStore {
    async fn begin(&self, request: BeginRequest) -> Result<Begun, StoreError> {
        match self.settle(Change::Begin(request)).await? {
            Done::Begun(begun) => Ok(begun),
            Done::Settled | Done::Pruned(_) => Err(StoreError::Closed),
        }
    }

    async fn finish(
        &self,
        claim: &Claim,
        answer: KeptAnswer,
        kept_until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.settle(Change::Finish(claim.clone(), answer, kept_until)).await.map(drop)
    }

    async fn abandon(&self, claim: &Claim, abandoned: Abandoned) -> Result<(), StoreError> {
        self.settle(Change::Abandon(claim.clone(), abandoned)).await.map(drop)
    }

    async fn prune(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        match self.settle(Change::Prune(now, limit)).await? {
            Done::Pruned(removed) => Ok(usize::try_from(removed).unwrap_or(usize::MAX)),
            Done::Begun(_) | Done::Settled => Err(StoreError::Closed),
        }
    }
}

impl SqliteStore {
    async fn settle(&self, change: Change) -> Result<Done, StoreError> {
        self.ask(|answer| Request::Idempotency(change, answer)).await?
    }
}

/// Carries changes out in one transaction. What cannot be read of one is no matter of the others.
pub(crate) async fn carry_out(
    connection: &mut SqliteConnection,
    changes: &[Change],
) -> Result<Vec<Result<Done, StoreError>>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut done = Vec::with_capacity(changes.len());
    for change in changes {
        done.push(match change {
            Change::Begin(request) => begin(&mut transaction, request).await?,
            Change::Finish(claim, answer, kept_until) => {
                finish(&mut transaction, claim, answer, *kept_until).await?;
                Ok(Done::Settled)
            }
            Change::Abandon(claim, abandoned) => {
                abandon(&mut transaction, claim, *abandoned).await?;
                Ok(Done::Settled)
            }
            Change::Prune(now, limit) => Ok(Done::Pruned(prune(&mut transaction, *now, *limit).await?)),
        });
    }
    transaction.commit().await?;
    Ok(done)
}

async fn begin(
    connection: &mut SqliteConnection,
    request: &BeginRequest,
) -> Result<Result<Done, StoreError>, sqlx::Error> {
    let BeginRequest { key, fingerprint, proposed, now, held_until, kept_until } = request;
    let proposed = proposed.to_string();
    let taken = sqlx::query(
        "INSERT INTO idempotency AS known (scope, key, fingerprint, reserved, holder, held_until, kept_until) \
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6) \
         ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
         reserved = CASE WHEN known.kept_until <= ?7 THEN excluded.reserved ELSE known.reserved END, \
         holder = excluded.holder, held_until = excluded.held_until, kept_until = excluded.kept_until, \
         status = NULL, headers = NULL, body = NULL \
         WHERE known.kept_until <= ?7 \
         OR known.status IS NULL AND known.fingerprint = excluded.fingerprint AND known.held_until <= ?7 \
         RETURNING reserved",
    )
    .bind(&key.scope)
    .bind(&key.key)
    .bind(&fingerprint.0[..])
    .bind(&proposed)
    .bind(held_until.timestamp_micros())
    .bind(kept_until.timestamp_micros())
    .bind(now.timestamp_micros())
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(row) = taken {
        return Ok(reserved(&row).map(Done::Begun).map_err(StoreError::from));
    }
    let known =
        sqlx::query("SELECT fingerprint, status, headers, body FROM idempotency WHERE scope = ? AND key = ?")
            .bind(&key.scope)
            .bind(&key.key)
            .fetch_one(&mut *connection)
            .await?;
    Ok(standing(&known, request).map(Done::Begun).map_err(StoreError::from))
}

fn reserved(row: &SqliteRow) -> Result<Begun, Damage> {
    let reserved = Ulid::from_string(row.try_get(0)?)?;
    Ok(Begun::New { reserved })
}

/// What is to be said of a key that somebody else has.
fn standing(row: &SqliteRow, request: &BeginRequest) -> Result<Begun, Damage> {
    if row.try_get::<&[u8], _>(0)? != request.fingerprint.0 {
        return Ok(Begun::Mismatch);
    }
    let Some(status) = row.try_get::<Option<i64>, _>(1)? else { return Ok(Begun::InFlight) };
    Ok(Begun::Replay(KeptAnswer {
        status: status.try_into()?,
        headers: serde_json::from_str(row.try_get(2)?)?,
        body: row.try_get(3)?,
    }))
}

async fn finish(
    connection: &mut SqliteConnection,
    Claim { key, holder }: &Claim,
    answer: &KeptAnswer,
    kept_until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let headers =
        serde_json::to_string(&answer.headers).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query(
        "UPDATE idempotency SET status = ?, headers = ?, body = ?, kept_until = ? \
         WHERE scope = ? AND key = ? AND holder = ? AND status IS NULL",
    )
    .bind(i64::from(answer.status))
    .bind(headers)
    .bind(&answer.body)
    .bind(kept_until.timestamp_micros())
    .bind(&key.scope)
    .bind(&key.key)
    .bind(holder.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// A record that is not removed is only let go of: what was reserved in it may be in use.
async fn abandon(
    connection: &mut SqliteConnection,
    Claim { key: IdempotencyKey { scope, key }, holder }: &Claim,
    abandoned: Abandoned,
) -> Result<(), sqlx::Error> {
    const LET_GO: &str = "UPDATE idempotency SET held_until = 0 \
         WHERE scope = ? AND key = ? AND holder = ? AND status IS NULL";
    const FORGET: &str = "DELETE FROM idempotency \
         WHERE scope = ? AND key = ? AND holder = ? AND status IS NULL AND reserved = holder";
    let statements: &[&'static str] = match abandoned {
        Abandoned::WithoutEffect => &[FORGET, LET_GO],
        Abandoned::InDoubt => &[LET_GO],
    };
    for statement in statements {
        let query = sqlx::query(*statement).bind(scope).bind(key).bind(holder.to_string());
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn prune(
    connection: &mut SqliteConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let removed = sqlx::query(
        "DELETE FROM idempotency WHERE rowid IN \
         (SELECT rowid FROM idempotency WHERE kept_until <= ? ORDER BY kept_until LIMIT ?)",
    )
    .bind(now.timestamp_micros())
    .bind(limit)
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
