//! Hearing from other processes how far log and read models have come.
//!
//! Whoever moves them on says so in the same transaction: one notification a batch. Notifications make it quick,
//! and polling makes it sure: they may be lost.

use crate::{
    PostgresOptions,
    progress::{Progress, Shared},
    sessions::{Pool, Sessions},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::sleep};

/// The functions that append have it, too.
pub(crate) const CHANNEL: &str = "buildwright";

/// The tasks of a store that listen to other processes.
#[derive(Debug)]
pub(crate) struct Wakeups {
    shared: Arc<Shared>,
    sessions: Sessions,
    /// To ask over.
    pool: Pool,
    options: PostgresOptions,
    /// Rung when notifications may have been lost.
    doubt: Notify,
}

impl Wakeups {
    pub(crate) fn new(
        shared: Arc<Shared>,
        sessions: Sessions,
        options: PostgresOptions,
    ) -> Result<Self, sqlx::Error> {
        let pool = Pool::new(&sessions, 1)?;
        Ok(Self { shared, sessions, pool, options, doubt: Notify::new() })
    }

    /// Runs until it is dropped or the store is closed.
    pub(crate) async fn run(self) {
        tokio::join!(self.poll(), self.listen());
    }

    /// Asks: soon again while there is something new that nobody told, seldom otherwise.
    async fn poll(&self) {
        let PostgresOptions { poll_busy, poll_idle, .. } = self.options;
        let mut pause = poll_idle;
        loop {
            tokio::select! {
                () = sleep(pause) => {}
                () = self.doubt.notified() => {}
            }
            let before = self.shared.known();
            match self.ask().await {
                Ok(found) if self.shared.find(before, found) => pause = poll_busy,
                Ok(_) => pause = (pause * 2).min(poll_idle),
                Err(sqlx::Error::PoolClosed) => return,
                Err(error) => {
                    tracing::debug!(%error, "the head of the log could not be read");
                    pause = poll_idle;
                }
            }
        }
    }

    async fn ask(&self) -> Result<Progress, sqlx::Error> {
        let rows = self.pool.try_rows(Progress::query).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        Progress::read(row).map_err(|damage| sqlx::Error::Decode(damage.into()))
    }

    async fn listen(&self) {
        if !self.options.listen {
            return;
        }
        let mut pause = Duration::from_millis(50);
        loop {
            match self.hear(&mut pause).await {
                Err(sqlx::Error::PoolClosed) => return,
                Err(error) => tracing::debug!(%error, "not hearing of other processes' events"),
                Ok(()) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(self.options.poll_idle);
        }
    }

    /// Listens until the connection is lost.
    async fn hear(&self, pause: &mut Duration) -> Result<(), sqlx::Error> {
        let mut listener = self.sessions.listen().await?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        *pause = Duration::from_millis(50);
        self.doubt.notify_one();
        while let Some(notification) = listener.try_recv().await? {
            match notification.payload().parse() {
                Ok(told) => {
                    self.shared.learn(told);
                }
                // A newer version may have more to tell.
                Err(_) => self.doubt.notify_one(),
            }
        }
        Ok(())
    }
}
