use chrono::{DateTime, Utc};
use names::KeyId;
use ports::ApiKeys;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// When keys were used since that was last written down.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<KeyId, DateTime<Utc>>>);

impl Uses {
    pub(super) fn note(&self, id: KeyId, at: DateTime<Utc>) {
        let mut uses = self.lock();
        let known = uses.entry(id).or_insert(at);
        *known = at.max(*known);
    }

    /// Writes them down, all together. What could not be written is kept for the next time.
    pub(super) async fn write_down(&self, keys: &dyn ApiKeys) {
        let uses: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        if uses.is_empty() {
            return;
        }
        if let Err(error) = keys.note_used(&uses).await {
            tracing::warn!(%error, "it could not be noted when API keys were used");
            for (id, at) in uses {
                self.note(id, at);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, DateTime<Utc>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
