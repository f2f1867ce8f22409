//! What the tasks of a leader share for as long as it leads.

use crate::{
    Settings,
    admission::{Admission, Key},
    timers::{Due, Timers},
};
use ports::Clock;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

pub(crate) struct Desk {
    pub(crate) admission: Arc<Mutex<Admission>>,
    pub(crate) timers: Timers,
    clock: Arc<dyn Clock>,
    again: Duration,
    changed: Notify,
}

impl Desk {
    pub(crate) fn new(settings: &Settings, clock: Arc<dyn Clock>, timers: Timers) -> Self {
        let admission = Arc::new(Mutex::new(Admission::new(settings)));
        Self { admission, timers, clock, again: settings.again, changed: Notify::new() }
    }

    pub(crate) fn admission(&self) -> MutexGuard<'_, Admission> {
        // Nothing between two changes can panic.
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There may be something to give out.
    pub(crate) fn ring(&self) {
        self.changed.notify_one();
    }

    /// Waits until there may be something to give out.
    pub(crate) async fn rung(&self) {
        self.changed.notified().await;
    }

    /// The queue would not have these now.
    pub(crate) fn refuse(&self, keys: impl IntoIterator<Item = Key>) {
        let mut first = false;
        let mut admission = self.admission();
        for key in keys {
            first |= admission.refused(key);
        }
        drop(admission);
        if first {
            self.timers.arm(Due::Refused, self.clock.now() + self.again);
        }
    }
}
