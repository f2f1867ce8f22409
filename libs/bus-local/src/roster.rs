use async_trait::async_trait;
use ports::{BusError, ExecutorName, ExecutorStatus, Roster};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The list of executors, in memory. Clones are the same list.
#[derive(Debug, Clone)]
pub struct LocalRoster {
    silence: Duration,
    listed: Arc<Mutex<BTreeMap<Arc<str>, Listed>>>,
}

#[derive(Debug)]
struct Listed {
    status: ExecutorStatus,
    heard: Instant,
}

impl LocalRoster {
    /// An empty list, from which an executor is taken that was silent for so long.
    #[must_use]
    pub fn new(silence: Duration) -> Self {
        Self { silence, listed: Arc::default() }
    }

    /// Those who were not silent for too long.
    fn listed(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Listed>> {
        // Nothing between two changes of the list can panic.
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.retain(|_, one| one.heard.elapsed() < self.silence);
        listed
    }
}

#[async_trait]
impl Roster for LocalRoster {
    async fn announce(&self, status: &ExecutorStatus) {
        let one = Listed { status: status.clone(), heard: Instant::now() };
        self.listed().insert(Arc::clone(&status.name.0), one);
    }

    async fn leave(&self, name: &ExecutorName) {
        self.listed().remove(&name.0);
    }

    async fn executors(&self) -> Result<Vec<ExecutorStatus>, BusError> {
        Ok(self.listed().values().map(|one| one.status.clone()).collect())
    }
}
