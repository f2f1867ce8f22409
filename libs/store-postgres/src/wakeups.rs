//! Hearing from other processes how far log and read models have come.
//!
//! Whoever moves them on says so in the same transaction: one notification a batch. Notifications make it quick,
//! and polling makes it sure: they may be lost.

use crate::{
    PostgresOptions,
    notices::Notices,
    progress::{Progress, Shared},
    sessions::{Pool, Sessions},
};
use ports::Position;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::sleep};

/// The functions that append have it, too.
pub(crate) const CHANNEL: &str = "buildwright";

/// The tasks of a store that listen to other processes.
#[derive(Debug)]
pub(crate) struct Wakeups {
    shared: Arc<Shared>,
    notices: Arc<Notices>,
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
        notices: Arc<Notices>,
        sessions: Sessions,
        options: PostgresOptions,
    ) -> Result<Self, sqlx::Error> {
        let pool = Pool::new(&sessions, 1)?;
        Ok(Self { shared, notices, sessions, pool, options, doubt: Notify::new() })
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
            let text = notification.payload();
            match text.parse::<Progress>() {
                Ok(told) => {
                    self.take_in(text, told.head);
                    self.shared.learn(told);
                }
                // A newer version may have more to tell.
                Err(_) => self.doubt.notify_one(),
            }
        }
        Ok(())
    }

    /// Keeps the events that were told, so that nobody has to read them.
    fn take_in(&self, text: &str, head: Position) {
        let Some(told) = Progress::rest(text) else { return };
        // Most of what a process hears it has said itself.
        if self.shared.tail().has(head) {
            return;
        }
        match self.notices.hear(told, head) {
            Some(events) => {
                let mut tail = self.shared.tail();
                events.into_iter().for_each(|event| tail.stored(event));
            }
            None => tracing::debug!(%head, "events that were told cannot be understood: they are read"),
        }
    }
}
