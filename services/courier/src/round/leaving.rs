//! The end of an endpoint that was made for one build.

use super::Round;
use crate::directory::remove;
use ports::StoreError;
use std::sync::Arc;
use tokio::time::Instant;

impl Round<'_> {
    /// Asks for the endpoint to be deleted if it was made for a build that is over, and all that it is to be told is
    /// delivered or given up. That comes back as an event, too.
    pub(super) async fn leave(&mut self) -> Result<(), StoreError> {
        if self.leaves_at().is_none_or(|at| at > Instant::now()) {
            return Ok(());
        }
        let known = self.courier().deliveries.load_deliveries(self.id).await?;
        // Whatever comes of it, it is looked at again only later.
        self.stirred();
        if known.is_none_or(|known| known.waiting.is_empty()) {
            let (shared, id) = (Arc::clone(self.shared), self.id);
            tokio::spawn(async move { remove(&shared.courier, id).await });
        }
        Ok(())
    }

    /// When to leave, if nothing happens until then.
    pub(super) fn leaves_at(&self) -> Option<Instant> {
        let nothing_here = self.sending.is_empty() && self.flush.is_none() && self.line.is_idle();
        let all_read = self.line.scanned() >= *self.head.borrow();
        let leaving = self.leaving.as_ref().filter(|_| nothing_here && all_read)?;
        leaving.due_at(self.courier().settings.keep_one_off)
    }

    pub(super) fn stirred(&mut self) {
        if let Some(leaving) = &mut self.leaving {
            leaving.stirred();
        }
    }
}
