//! How many builds a key may have open. Counting and submitting are one step for a key of this process; several
//! processes can together let through as many more as there are of them.

use crate::{App, errors::Fault, read::catch_up};
use names::KeyId;
use ports::{Principal, StoreError};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OwnedMutexGuard;

/// Whose turn it is to submit, by key.
#[derive(Default)]
pub(super) struct Quotas(Mutex<HashMap<KeyId, Arc<tokio::sync::Mutex<()>>>>);

/// The turn of a key, to be kept until the build is stored.
pub(crate) struct Turn {
    _turn: Option<OwnedMutexGuard<()>>,
}

/// Why no further build is let in.
#[derive(Debug)]
pub(crate) enum OverQuota {
    /// So many are open.
    Open(NonZeroU32),
    /// The lists are behind, so it cannot be said.
    Behind,
    /// The lists cannot be read.
    Fault(Fault),
}

impl Turn {
    /// Waits for the key's turn, and finds that it may have another build.
    pub(crate) async fn take(app: &App, who: &Principal) -> Result<Self, OverQuota> {
        let Some((id, most)) = who.key.zip(who.limits.open_builds) else { return Ok(Self { _turn: None }) };
        let turn = app.access.quotas.of(id).lock_owned().await;
        catch_up(app).await.map_err(|_| OverQuota::Behind)?;
        let bound = usize::try_from(most.get()).unwrap_or(usize::MAX);
        let open = app.read_models.count_open(&who.actor, bound).await;
        if open.map_err(|error: StoreError| OverQuota::Fault(error.into()))? >= bound {
            return Err(OverQuota::Open(most));
        }
        Ok(Self { _turn: Some(turn) })
    }
}

impl Quotas {
    fn of(&self, id: KeyId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(id).or_default())
    }
}
