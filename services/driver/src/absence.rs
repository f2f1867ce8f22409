//! How long orders have been missing in the queue.

use crate::admission::Key;
use std::{collections::HashMap, time::Duration};

/// What was missing at the last look, and for how long it had been.
#[derive(Debug, Default)]
pub(crate) struct Absences(HashMap<Key, Duration>);

/// One look at everything. What is not found missing in it is not missing any more.
#[derive(Debug)]
pub(crate) struct Look {
    before: HashMap<Key, Duration>,
    since: Duration,
    missing: HashMap<Key, Duration>,
}

impl Absences {
    /// A look, so long after the last one. What is missing now is taken to have been missing in between, but
    /// not for longer than `most`: a process that was itself absent has seen nothing.
    pub(crate) fn look(&mut self, since: Duration, most: Duration) -> Look {
        Look { before: std::mem::take(&mut self.0), since: since.min(most), missing: HashMap::new() }
    }

    /// Keeps what was seen. A look that is not kept, because the bus or the store failed it, leaves nothing:
    /// absence has to be observed anew.
    pub(crate) fn keep(&mut self, look: Look) {
        self.0 = look.missing;
    }
}

impl Look {
    /// An order is missing; for how long it has been.
    pub(crate) fn missing(&mut self, key: Key) -> Duration {
        let so_long = self.before.get(&key).map_or(Duration::ZERO, |before| *before + self.since);
        self.missing.insert(key, so_long);
        so_long
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        BuildId,
        build::{Attempt, Work},
    };
    use ulid::Ulid;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(n: u128) -> Key {
        (BuildId::new(Ulid(n)), Work::Plan, Attempt::FIRST)
    }

    #[test]
    fn absence_adds_up_over_looks_in_a_row() {
        let mut absences = Absences::default();
        for expected in 0..5 {
            let mut look = absences.look(SECOND, SECOND * 2);
            assert_eq!(look.missing(key(1)), SECOND * expected);
            absences.keep(look);
        }
    }

    #[test]
    fn one_look_at_which_it_was_there_begins_anew() {
        let mut absences = Absences::default();
        for missing in [true, true, false] {
            let mut look = absences.look(SECOND, SECOND);
            if missing {
                look.missing(key(1));
            }
            look.missing(key(2));
            absences.keep(look);
        }
        let mut look = absences.look(SECOND, SECOND);
        assert_eq!((look.missing(key(1)), look.missing(key(2))), (Duration::ZERO, SECOND * 3));
    }

    #[test]
    fn a_look_that_failed_begins_anew() {
        let mut absences = Absences::default();
        let mut look = absences.look(SECOND, SECOND);
        look.missing(key(1));
        absences.keep(look);
        absences.look(SECOND, SECOND).missing(key(1));
        assert_eq!(absences.look(SECOND, SECOND).missing(key(1)), Duration::ZERO);
    }

    #[test]
    fn a_process_that_stood_still_has_not_observed_anything_meanwhile() {
        let mut absences = Absences::default();
        let mut look = absences.look(SECOND, SECOND);
        look.missing(key(1));
        absences.keep(look);
        let mut look = absences.look(SECOND * 3_600, SECOND * 2);
        assert_eq!(look.missing(key(1)), SECOND * 2);
    }
}
