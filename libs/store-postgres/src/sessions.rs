//! Connections and their settings, and reading through them.

use crate::{
    PostgresOptions,
    failure::{Meaning, store_error},
};
use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolConfig, PoolError, RecycleResult, Timeouts},
};
use ports::StoreError;
use sqlx::{
    ConnectOptions, PgConnection, Postgres,
    postgres::{PgArguments, PgConnectOptions, PgListener, PgPoolOptions, PgRow},
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
            // Planning anew costs an append as much as carrying it out.
            ("plan_cache_mode", "force_generic_plan"),
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

    /// A connection to listen on.
    pub(crate) async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let one = PgPoolOptions::new().max_connections(1).acquire_timeout(self.connect_timeout);
        PgListener::connect_with(&one.connect_lazy_with(self.timed.clone())).await
    }
}

/// Makes connections for a pool. They are handed on as they are: asking each whether it still works, as sqlx's own
/// pool does, would double the round trips of a small query. A stale one is noticed by its user and replaced.
impl managed::Manager for Sessions {
    type Type = PgConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<PgConnection, sqlx::Error> {
        // It is large, and would make every query's future so.
        Box::pin(self.connect()).await
    }

    async fn recycle(&self, _: &mut PgConnection, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}

/// Connections that are shared, made when they are needed, and patience with those that a restart of the server
/// left dead.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pool: managed::Pool<Sessions>,
    silence: Duration,
}

impl Pool {
    pub(crate) fn new(sessions: &Sessions, most: u32) -> Result<Self, sqlx::Error> {
        let timeouts = Timeouts { wait: Some(sessions.connect_timeout), ..Timeouts::default() };
        let config = PoolConfig { max_size: most.max(1) as usize, timeouts, ..PoolConfig::default() };
        let builder = managed::Pool::builder(sessions.clone()).config(config).runtime(Runtime::Tokio1);
        let pool = builder.build().map_err(|error| sqlx::Error::Configuration(error.into()))?;
        Ok(Self { pool, silence: sessions.silence })
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
        for _ in 0..self.pool.status().max_size {
            let mut connection = self.get().await?;
            match within(self.silence, query().fetch_all(&mut *connection)).await {
                Err(error) if Meaning::of(&error) == Meaning::Lost => {
                    drop(Object::take(connection));
                    if is_silence(&error) {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
        let mut connection = self.get().await?;
        within(self.silence, query().fetch_all(&mut *connection)).await
    }

    /// A connection that answers.
    pub(crate) async fn acquire(&self) -> Result<Object<Sessions>, sqlx::Error> {
        for _ in 0..self.pool.status().max_size {
            let mut connection = self.get().await?;
            match within(self.silence, sqlx::Connection::ping(&mut *connection)).await {
                Ok(()) => return Ok(connection),
                Err(error) => {
                    drop(Object::take(connection));
                    if is_silence(&error) {
                        return Err(error);
                    }
                }
            }
        }
        self.get().await
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }

    async fn get(&self) -> Result<Object<Sessions>, sqlx::Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            _ => sqlx::Error::PoolTimedOut,
        })
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
