//! Which of several replicas leads: the one whose session holds an advisory lock.
//!
//! The server gives the lock up with the session, however that ends; so there is no lease to be renewed and no
//! clock to be trusted. What takes time is to notice that a session has ended. The holder has always a statement
//! under way, so it is told at once when its connection breaks, and asks again soon if it hears nothing. The
//! server notices a process that died at once, a machine that is gone by the session's TCP keepalives.

use crate::{
    PostgresOptions,
    failure::store_error,
    sessions::{Sessions, within},
};
use async_trait::async_trait;
use ports::{Leadership, StoreError, Term};
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How a process stands for election.
#[derive(Debug, Clone)]
pub struct LeadershipOptions {
    /// The pause between two tries to lead.
    pub retry: Duration,
    /// How often the leader hears from the server that its session lives. It is also the longest that giving up
    /// leadership takes.
    pub heartbeat: Duration,
    /// How much longer the leader waits for that. Then it leads no more.
    pub silence: Duration,
    /// After so long without a sign of life from the machine of a leader the server ends its session; whole
    /// seconds, at least three.
    pub keepalive: Duration,
}

impl Default for LeadershipOptions {
    fn default() -> Self {
        Self {
            retry: Duration::from_millis(500),
            heartbeat: Duration::from_millis(500),
            silence: Duration::from_secs(2),
            keepalive: Duration::from_secs(9),
        }
    }
}

/// A candidate for a role of which one process at a time is the leader. It holds one connection, outside of all
/// pools; a pooler between it and the server must not share sessions between clients.
#[derive(Debug)]
pub struct PostgresLeadership {
    sessions: Sessions,
    options: LeadershipOptions,
    lock: String,
}

impl PostgresLeadership {
    /// A candidate for the leadership of a role, among all that name the same role in the same database.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn new(
        url: &str,
        postgres: &PostgresOptions,
        options: LeadershipOptions,
        role: &str,
    ) -> Result<Self, StoreError> {
        let sessions = Sessions::new(url, postgres).map_err(store_error)?;
        Ok(Self { sessions, options, lock: format!("buildwright leader {role}") })
    }

    /// A connection whose end the server notices.
    async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.sessions.connect().await?;
        let third = (self.options.keepalive.as_secs() / 3).max(1);
        let settings = sqlx::query(
            "SELECT set_config('tcp_keepalives_idle', $1, false), \
             set_config('tcp_keepalives_interval', $1, false), \
             set_config('tcp_keepalives_count', '2', false), \
             set_config('tcp_user_timeout', $2, false)",
        )
        .bind(third.to_string())
        .bind((third * 3_000).to_string());
        within(self.options.silence, settings.execute(&mut connection)).await?;
        Ok(connection)
    }

    async fn try_lock(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))");
        within(self.options.silence, lock.bind(&self.lock).fetch_one(connection)).await
    }
}

#[async_trait]
impl Leadership for PostgresLeadership {
    async fn lead(&self) -> Result<Term, StoreError> {
        let mut connection = None;
        loop {
            let tried = async {
                let mut candidate = match connection.take() {
                    Some(candidate) => candidate,
                    None => self.connect().await?,
                };
                let leads = self.try_lock(&mut candidate).await?;
                Ok::<_, sqlx::Error>((candidate, leads))
            };
            match tried.await {
                Ok((held, true)) => return Ok(begin(held, &self.options)),
                Ok((candidate, false)) => connection = Some(candidate),
                Err(error) => tracing::debug!(%error, lock = self.lock, "not standing for election"),
            }
            sleep(self.options.retry).await;
        }
    }
}

/// A term that lasts as long as a session.
fn begin(connection: PgConnection, options: &LeadershipOptions) -> Term {
    let (over, given_up) = (CancellationToken::new(), CancellationToken::new());
    let held = Box::new(given_up.clone().drop_guard());
    let end = over.clone().drop_guard();
    let options = options.clone();
    tokio::spawn(async move {
        // Whatever ends this task, the term is over then.
        let _end = end;
        hold(connection, &options, &given_up).await;
    });
    Term::new(over, held)
}

/// Keeps a session until it is lost or given up.
async fn hold(mut connection: PgConnection, options: &LeadershipOptions, given_up: &CancellationToken) {
    while !given_up.is_cancelled() {
        // The pause is the server's: while we wait for its end, we hear of the connection's.
        let pause = sqlx::query("SELECT pg_sleep($1)").bind(options.heartbeat.as_secs_f64());
        let limit = options.heartbeat + options.silence;
        if let Err(error) = within(limit, pause.execute(&mut connection)).await {
            tracing::warn!(%error, "leadership is lost");
            return;
        }
    }
    // The server notices anyway.
    let _ = within(options.silence, connection.close()).await;
}
