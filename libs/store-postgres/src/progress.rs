//! How far log and read models have come, as this process knows.

use crate::{failure::Damage, sessions::Query, tail::Tail};
use ports::Position;
use sqlx::{Row, postgres::PgRow};
use std::{
    fmt,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The place of the read models: how often they began again, and how far they came since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Checkpoint {
    pub(crate) era: u64,
    pub(crate) position: Position,
}

/// Where everything stands. As text it is what processes tell each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) head: Position,
    pub(crate) projected: Checkpoint,
}

impl Progress {
    /// What is said of the read models alone.
    pub(crate) fn of_read_models(projected: Checkpoint) -> Self {
        Self { head: Position(0), projected }
    }

    pub(crate) fn query<'q>() -> Query<'q> {
        sqlx::query(
            "SELECT h.position, c.era, c.position FROM head h CROSS JOIN checkpoints c WHERE c.name = 'builds'",
        )
    }

    pub(crate) fn read(row: &PgRow) -> Result<Self, Damage> {
        let number = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        let projected = Checkpoint { era: number(1)?, position: Position(number(2)?) };
        Ok(Self { head: Position(number(0)?), projected })
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.head, self.projected.era, self.projected.position)
    }
}

impl FromStr for Progress {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = text.split(' ').map(str::parse);
        let mut next = || numbers.next().unwrap_or_else(|| "".parse());
        let head = Position(next()?);
        let projected = Checkpoint { era: next()?, position: Position(next()?) };
        Ok(Self { head, projected })
    }
}

/// What the tasks of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) head: watch::Sender<Position>,
    pub(crate) projected: watch::Sender<Position>,
    known: Mutex<Progress>,
    tail: Mutex<Tail>,
}

impl Shared {
    pub(crate) fn new(known: Progress, tail: Tail) -> Self {
        Self {
            head: watch::Sender::new(known.head),
            projected: watch::Sender::new(known.projected.position),
            known: Mutex::new(known),
            tail: Mutex::new(tail),
        }
    }

    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        // A tail is whole after every statement that changes it.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn known(&self) -> Progress {
        *self.lock()
    }

    /// Takes in what may be old news by now: nothing goes back. Tells whether anything was new.
    pub(crate) fn learn(&self, told: Progress) -> bool {
        let mut known = self.lock();
        let newer =
            Progress { head: known.head.max(told.head), projected: known.projected.max(told.projected) };
        self.set(&mut known, newer)
    }

    /// Takes in what the database said to a question that was asked when `before` was known. If that was less,
    /// the database has gone back, to a backup or to a standby that lagged, and so do we.
    pub(crate) fn find(&self, before: Progress, found: Progress) -> bool {
        let went_back = found.head < before.head || found.projected < before.projected;
        if !went_back {
            return self.learn(found);
        }
        let mut known = self.lock();
        if *known != before {
            return false;
        }
        if found.head < before.head {
            tracing::error!(%before, %found, "the database has gone back: events that were stored are gone");
        } else {
            tracing::warn!(%before, %found, "read models have gone back, and are folded again");
        }
        self.tail().clear();
        self.set(&mut known, found)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, known: &mut Progress, to: Progress) -> bool {
        let changed = *known != to;
        *known = to;
        for (sender, position) in [(&self.head, to.head), (&self.projected, to.projected.position)] {
            sender.send_if_modified(|shown| std::mem::replace(shown, position) != position);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(head: u64, era: u64, projected: u64) -> Progress {
        let projected = Checkpoint { era, position: Position(projected) };
        Progress { head: Position(head), projected }
    }

    fn shared(known: Progress) -> Shared {
        Shared::new(known, Tail::new(10, 10))
    }

    #[test]
    fn it_reads_what_another_process_wrote() {
        let told = progress(12, 3, 4);
        assert_eq!(told.to_string().parse(), Ok(told));
        for nonsense in ["", "1 2", "a 1 2", "-1 0 0"] {
            nonsense.parse::<Progress>().expect_err(nonsense);
        }
    }

    #[test]
    fn old_news_change_nothing() {
        let shared = shared(progress(10, 2, 5));
        assert!(!shared.learn(progress(9, 1, 7)));
        assert_eq!(shared.known(), progress(10, 2, 5));
        assert!(shared.learn(progress(9, 3, 0)));
        assert_eq!(shared.known(), progress(10, 3, 0));
        assert_eq!(*shared.projected.borrow(), Position(0));
    }

    #[test]
    fn a_database_that_went_back_is_followed_unless_there_is_news_meanwhile() {
        let shared = shared(progress(10, 2, 5));
        let before = shared.known();
        shared.learn(progress(11, 2, 5));
        assert!(!shared.find(before, progress(8, 2, 5)));
        assert_eq!(shared.known().head, Position(11));
        assert!(shared.find(shared.known(), progress(8, 2, 5)));
        assert_eq!(*shared.head.borrow(), Position(8));
    }
}
