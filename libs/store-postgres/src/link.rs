use crate::{
    batch::{Columns, Outcome, Waiting},
    failure::Meaning,
    sessions::{Sessions, within},
};
use sqlx::PgConnection;

/// The appender's connection: made when it is needed, given up when it is in doubt.
#[derive(Debug)]
pub(crate) struct Link {
    sessions: Sessions,
    connection: Option<PgConnection>,
}

impl Link {
    pub(crate) fn new(sessions: Sessions) -> Self {
        Self { sessions, connection: None }
    }

    /// Whether it worked last time.
    pub(crate) fn is_up(&self) -> bool {
        self.connection.is_some()
    }

    /// Makes the connection, so that the first append does not wait for it.
    pub(crate) async fn connect(&mut self) -> Result<(), sqlx::Error> {
        self.connection = Some(self.sessions.connect().await?);
        Ok(())
    }

    /// Stores a batch under a number. The same again, under the same number, stores nothing twice.
    pub(crate) async fn append(
        &mut self,
        batch: &[Waiting],
        number: i64,
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        let columns = Columns::of(batch)?;
        // Taken out while in use: whatever ends this early, nobody reads the rest of an old answer.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.sessions.connect().await?,
        };
        let rows = within(self.sessions.silence, columns.query(number).fetch_all(&mut connection)).await;
        if rows.as_ref().err().is_none_or(|error| Meaning::of(error) != Meaning::Lost) {
            self.connection = Some(connection);
        }
        Outcome::read_all(&rows?, batch.len())
    }

    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection {
            // The server notices anyway.
            let _ = sqlx::Connection::close(connection).await;
        }
    }
}
