//! Time and identity: the one place that reads them.

use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};
use ports::{Clock, Ids};
use std::{
    sync::{Mutex, PoisonError},
    time::SystemTime,
};
use ulid::Ulid;

/// The clock of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else is handed")]
    fn now(&self) -> DateTime<Utc> {
        let now = DateTime::<Utc>::from(SystemTime::now());
        // Microseconds are what stores keep; more would differ after reading back.
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }
}

/// ULIDs that never go back, even within a millisecond.
#[derive(Default)]
pub(crate) struct UlidIds(Mutex<ulid::Generator>);

impl UlidIds {
    #[expect(clippy::disallowed_methods, reason = "this is the source that everything else is handed")]
    fn next(&self) -> Ulid {
        let mut generator = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // It fails only when 2^80 ids of one millisecond are used up.
            if let Ok(id) = generator.generate() {
                return id;
            }
        }
    }
}

impl Ids for UlidIds {
    fn build(&self) -> BuildId {
        BuildId::new(self.next())
    }

    fn endpoint(&self) -> EndpointId {
        EndpointId::new(self.next())
    }
}
