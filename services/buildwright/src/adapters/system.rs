//! Time, chance and identity: the one place that reads them.

use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};
use names::{KeyId, KeyPrefix};
use ports::{Chance, Clock, Ids, KeyText, NoChance};
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

/// The generator that TLS keys come from.
pub(crate) struct SystemChance;

impl Chance for SystemChance {
    fn bytes(&self) -> Result<[u8; 32], NoChance> {
        let mut bytes = [0; 32];
        let chance = rustls::crypto::ring::default_provider().secure_random;
        chance.fill(&mut bytes).map_err(|_| NoChance)?;
        Ok(bytes)
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

    /// The id of a new API key.
    pub(crate) fn key(&self) -> KeyId {
        KeyId::new(self.next())
    }
}

/// A new API key, from the generator that TLS keys come from.
///
/// # Errors
/// If the machine has no chance to give.
pub(crate) fn random_key() -> anyhow::Result<KeyText> {
    let chance = rustls::crypto::ring::default_provider().secure_random;
    let (mut for_prefix, mut for_secret) = ([0; KeyPrefix::LENGTH], [0; 32]);
    for bytes in [for_prefix.as_mut_slice(), for_secret.as_mut_slice()] {
        chance.fill(bytes).map_err(|_| anyhow::anyhow!("this machine has no random numbers to give"))?;
    }
    Ok(KeyText::from_random(&for_prefix, &for_secret))
}

impl Ids for UlidIds {
    fn build(&self) -> BuildId {
        BuildId::new(self.next())
    }

    fn endpoint(&self) -> EndpointId {
        EndpointId::new(self.next())
    }
}
