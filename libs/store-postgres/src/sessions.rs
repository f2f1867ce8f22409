//! Connections and their settings, and reading through them.

use crate::{
    PostgresOptions,
    failure::{Meaning, store_error},
};
use ports::StoreError;
use sqlx::{
    ConnectOptions, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
};
use std::{io, time::Duration};
use tokio::time::timeout;

pub(crate) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// How connections are made.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    plain: PgConnectOptions,
    timed: PgConnectOptions,
    connect_timeout: Duration,
    /// After so long without an answer nobody is there to answer.
    pub(crate) silence: Duration,
}

impl Sessions {
    pub(crate) fn new(url: &str, options: &PostgresOptions) -> Result<Self, sqlx::Error> {
        let plain: PgConnectOptions = url.parse()?;
        let plain = plain.application_name("buildwright").disable_statement_logging().options([
            // What the function that appends was written for.
            ("default_transaction_isolation", "read committed"),
            // Whoever is answered may rely on it, whatever the server's default is.
            ("synchronous_commit", "on"),
            // Plans are kept. One that was made while a table was small must still do when it is large.
            ("enable_seqscan", "off"),
            ("jit", "off"),
            // A statement that waits for a lock notices that its client is gone.
            ("client_connection_check_interval", "1s"),
        ]);
        let timed = plain.clone().options([
            ("statement_timeout", options.statement_timeout.as_millis()),
            ("lock_timeout", options.lock_timeout.as_millis()),
            ("idle_in_transaction_session_timeout", options.idle_in_transaction_timeout.as_millis()),
        ]);
        let silence = options.statement_timeout + Duration::from_secs(2);
        Ok(Self { plain, timed, connect_timeout: options.connect_timeout, silence })
    }

    /// A connection of one's own.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        within(self.connect_timeout, self.timed.connect()).await
    }

    /// One for changing tables: that may take its time, and may have to wait for another process's doing so.
    pub(crate) async fn connect_to_migrate(&self) -> Result<PgConnection, sqlx::Error> {
        let patient = self.plain.clone().options([("lock_timeout", "60s")]);
        within(self.connect_timeout, patient.connect()).await
    }

    /// Connections that are shared, made when they are needed.
    pub(crate) fn pool(&self, most: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(self.connect_timeout)
            // It would cost every query a round trip; a stale connection is noticed and replaced by `Pool`.
            .test_before_acquire(false)
            .connect_lazy_with(self.timed.clone())
    }
}

/// Connections that are shared, and patience with those that a restart of the server left dead.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pool: PgPool,
    most: u32,
    silence: Duration,
}

impl Pool {
    pub(crate) fn new(sessions: &Sessions, most: u32) -> Self {
        Self { pool: sessions.pool(most), most, silence: sessions.silence }
    }

    /// The rows of a query that may be sent twice.
    pub(crate) async fn rows<'q>(
        &self,
        query: impl Fn() -> Query<'q> + Send + Sync,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.try_rows(query).await.map_err(store_error)
    }

    /// Like [`Pool::rows`], with what went wrong in PostgreSQL's words.
    pub(crate) async fn try_rows<'q>(
        &self,
        query: impl Fn() -> Query<'q> + Send + Sync,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        for _ in 0..self.most {
            let mut connection = self.pool.acquire().await?;
            match within(self.silence, query().fetch_all(&mut *connection)).await {
                Err(error) if Meaning::of(&error) == Meaning::Lost => {
                    connection.close_on_drop();
                    if is_silence(&error) {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
        let mut connection = self.pool.acquire().await?;
        within(self.silence, query().fetch_all(&mut *connection)).await
    }

    /// A connection that answers.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        for _ in 0..self.most {
            let mut connection = self.pool.acquire().await?;
            match within(self.silence, sqlx::Connection::ping(&mut *connection)).await {
                Ok(()) => return Ok(connection),
                Err(error) => {
                    connection.close_on_drop();
                    if is_silence(&error) {
                        return Err(error);
                    }
                }
            }
        }
        self.pool.acquire().await
    }

    pub(crate) fn inner(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// The longest a server may be silent before the connection is given up.
pub(crate) async fn within<T>(
    limit: Duration,
    doing: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let silence = || sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "PostgreSQL does not answer"));
    timeout(limit, doing).await.unwrap_or_else(|_| Err(silence()))
}

fn is_silence(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}
