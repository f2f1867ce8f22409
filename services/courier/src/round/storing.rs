//! What is kept.

use super::{Flushed, Round, joined};
use ports::{Position, StoreError};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// Most deliveries of a build that are read at once.
const REFILL: usize = 64;
/// How long the results of an endpoint that ends may take to be stored.
const FAREWELL: Duration = Duration::from_secs(5);

impl Round<'_> {
    /// Begins to store results when they have waited long enough, or nothing else is under way.
    pub(super) fn flush_if_due(&mut self) {
        let unstored = self.line.unstored();
        if unstored > 0 {
            self.first_unstored.get_or_insert_with(Instant::now);
        }
        let settings = &self.courier().settings;
        let far = self.line.progress().cursor.0.saturating_sub(self.stored_cursor.0) >= settings.cursor_every;
        let waited = self.first_unstored.is_some_and(|since| since.elapsed() >= settings.flush_after);
        let idle = unstored > 0 && self.sending.is_empty();
        let full = unstored >= settings.flush_results;
        if self.flush.is_some() || !(far || idle || waited || full || self.line.has_questions()) {
            return;
        }
        let batch = self.line.batch();
        self.first_unstored = None;
        self.questions.extend(self.line.take_questions());
        let (deliveries, id) = (Arc::clone(&self.courier().deliveries), self.id);
        self.flush = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let result = deliveries.record_deliveries(id, batch.clone()).await;
            (batch, result)
        })));
    }

    pub(super) async fn flushed(&mut self, (batch, result): Flushed) -> Result<(), StoreError> {
        result?;
        self.stored_something = true;
        self.stirred();
        self.stored_cursor = batch.progress.cursor;
        self.line.stored(&batch);
        for build in std::mem::take(&mut self.questions) {
            let rows =
                self.courier().deliveries.waiting_deliveries(self.id, build, Position(0), REFILL).await?;
            let now = self.now();
            self.line.answered(build, rows, REFILL, now);
        }
        Ok(())
    }

    /// Stores what there is. What is under way is sent again by whoever comes next, under the same id.
    pub(super) async fn farewell(&mut self) -> Result<(), StoreError> {
        let store = async {
            if let Some(flush) = self.flush.take() {
                joined(flush.await)?.1?;
            }
            let batch = self.line.batch();
            if batch.progress.cursor > self.stored_cursor || !batch.deliveries.is_empty() {
                self.shared.courier.deliveries.record_deliveries(self.id, batch).await?;
            }
            Ok(())
        };
        tokio::time::timeout(FAREWELL, store).await.unwrap_or(Ok(()))
    }
}
