//! What a driver tells of itself, for metrics and for scaling executors.

use crate::admission::{Admission, Counts};
use names::PoolName;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A look into a driver. Clones look into the same one.
#[derive(Debug, Clone, Default)]
pub struct Gauges(Arc<Mutex<Option<Arc<Mutex<Admission>>>>>);

/// What a driver knew at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether it leads. If not, it knows of no attempts.
    pub leading: bool,
    /// Attempts by pool. A pool needs as many slots as it has attempts, waiting ones included: those are not in
    /// the queue.
    pub pools: BTreeMap<PoolName, Counts>,
}

impl Gauges {
    /// What the driver knows now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let admission = self.admission().clone();
        let pools = admission.map(|known| known.lock().unwrap_or_else(PoisonError::into_inner).counts());
        Snapshot { leading: pools.is_some(), pools: pools.unwrap_or_default() }
    }

    /// Shows what a leader knows until the guard is dropped.
    pub(crate) fn show(&self, admission: &Arc<Mutex<Admission>>) -> Shown {
        *self.admission() = Some(Arc::clone(admission));
        Shown(self.clone())
    }

    fn admission(&self) -> MutexGuard<'_, Option<Arc<Mutex<Admission>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Shown(Gauges);

impl Drop for Shown {
    fn drop(&mut self) {
        *self.0.admission() = None;
    }
}
