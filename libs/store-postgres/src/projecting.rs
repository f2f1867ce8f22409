//! The read models' checkpoint. Of several processes that fold events, only one at a time gets ahead: each moves
//! the checkpoint only from where its own folding stands, together with the rows.

use crate::{
    builds,
    failure::store_error,
    progress::{Checkpoint, Progress, Shared},
    sessions::Pool,
    wakeups::CHANNEL,
};
use ports::{BuildSummary, Position, StoreError};
use sqlx::{Acquire, PgConnection};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::timeout};

/// How long a process that was second waits for the first to come as far as itself. Less, and two that take
/// turns would report failures of nothing; more, and the second would be slow to take over.
const SECOND: Duration = Duration::from_secs(1);

/// Why rows were not stored.
#[derive(Debug, thiserror::Error)]
enum Behind {
    #[error("the read models' checkpoint had to be read again")]
    Forgotten,
    #[error("another process keeps the read models")]
    Another,
}

impl From<Behind> for StoreError {
    fn from(behind: Behind) -> Self {
        Self::Unavailable(Box::new(behind))
    }
}

/// The folding of this process.
#[derive(Debug)]
pub(crate) struct Projecting {
    pool: Pool,
    shared: Arc<Shared>,
    /// Up to where this process has folded. `None` if that is in doubt.
    stand: Mutex<Option<Checkpoint>>,
}

impl Projecting {
    pub(crate) fn new(pool: Pool, shared: Arc<Shared>) -> Self {
        let stand = Mutex::new(Some(shared.known().projected));
        Self { pool, shared, stand }
    }

    pub(crate) async fn project(&self, rows: Vec<BuildSummary>, upto: Position) -> Result<(), StoreError> {
        let mut stand = self.stand.lock().await;
        // In doubt until it is known again, also if this future is dropped.
        let Some(from) = stand.take() else {
            *stand = Some(self.look().await?);
            return Err(Behind::Forgotten.into());
        };
        let to = Checkpoint { position: upto, ..from };
        if self.write(from, to, &rows).await.map_err(store_error)? {
            *stand = Some(to);
            self.learn(to);
            return Ok(());
        }
        let found = self.wait_for(to).await?;
        let caught_up = found.era == to.era && found >= to;
        *stand = Some(if caught_up { to } else { found });
        if caught_up { Ok(()) } else { Err(Behind::Another.into()) }
    }

    pub(crate) async fn reset(&self) -> Result<(), StoreError> {
        let mut stand = self.stand.lock().await;
        *stand = None;
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        let empty = builds::begin_again(&mut connection).await.map_err(store_error)?;
        *stand = Some(empty);
        self.learn(empty);
        Ok(())
    }

    /// Stores rows if the checkpoint is where they were folded from.
    async fn write(
        &self,
        from: Checkpoint,
        to: Checkpoint,
        rows: &[BuildSummary],
    ) -> Result<bool, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        // First, because it locks: a second process waits here, and then finds the checkpoint elsewhere.
        if !move_checkpoint(&mut transaction, from, to).await? {
            return Ok(false);
        }
        builds::upsert(&mut transaction, rows).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The checkpoint when it is at least this far, or when it does not get there.
    async fn wait_for(&self, wanted: Checkpoint) -> Result<Checkpoint, StoreError> {
        let began = Instant::now();
        let mut projected = self.shared.projected.subscribe();
        loop {
            projected.borrow_and_update();
            let found = self.look().await?;
            let left = SECOND.saturating_sub(began.elapsed());
            if found >= wanted || left.is_zero() {
                return Ok(found);
            }
            // Whether told or not, the next look decides.
            let _ = timeout(left.min(SECOND / 4), projected.changed()).await;
        }
    }

    async fn look(&self) -> Result<Checkpoint, StoreError> {
        let before = self.shared.known();
        let rows = self.pool.rows(Progress::query).await?;
        let row = rows.first().ok_or_else(|| store_error(sqlx::Error::RowNotFound))?;
        let found = Progress::read(row)?;
        // A server that died may have lost what was projected last.
        self.shared.find(before, found);
        Ok(found.projected)
    }

    fn learn(&self, projected: Checkpoint) {
        self.shared.learn(Progress::of_read_models(projected));
    }
}

/// Also lets others know once it is committed; and does not have the commit wait for the disk, because whatever a
/// server that dies loses of read models is folded again.
async fn move_checkpoint(
    connection: &mut PgConnection,
    from: Checkpoint,
    to: Checkpoint,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "WITH moved AS ( \
           UPDATE checkpoints SET position = $1 WHERE name = 'builds' AND era = $2 AND position = $3 RETURNING 1 \
         ) \
         SELECT set_config('synchronous_commit', 'off', true), pg_notify($4, $5) FROM moved",
    )
    .bind(to.position.0.cast_signed())
    .bind(from.era.cast_signed())
    .bind(from.position.0.cast_signed())
    .bind(CHANNEL)
    .bind(Progress::of_read_models(to).to_string())
    .fetch_optional(connection)
    .await?;
    Ok(moved.is_some())
}
