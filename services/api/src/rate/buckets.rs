//! Token buckets. Each is one moment: when it will be full again.

use std::{collections::HashMap, hash::Hash, num::NonZeroU32, time::Duration};
use tokio::time::Instant;

/// So many within a window, at once or one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// How many.
    pub(crate) requests: NonZeroU32,
}

/// The window of every quota.
pub(crate) const WINDOW: Duration = Duration::from_mins(1);

/// How a bucket stands after something was taken from it, or could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whether something was left to take.
    pub(crate) taken: Taken,
    /// How many more can be taken at once.
    pub(crate) left: u32,
    /// When it will be full again.
    pub(crate) full_in: Duration,
}

/// Whether there was a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There was.
    One,
    /// There will be one after this time.
    None {
        /// The time.
        next_in: Duration,
    },
}

/// A bucket for each of those who take, a bounded number of them. Who has taken nothing for a window needs none,
/// so those that were used last are enough; if more than that are in use, some begin anew.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    young: HashMap<K, Instant>,
    old: HashMap<K, Instant>,
    most: usize,
}

impl<K: Eq + Hash> Buckets<K> {
    /// At most so many.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), most: most.max(2) }
    }

    /// Takes a token.
    pub(crate) fn take(&mut self, key: K, quota: Quota, now: Instant) -> Standing {
        let each = WINDOW / quota.requests.get();
        let full_at = self.young.get(&key).or_else(|| self.old.get(&key)).map_or(now, |at| (*at).max(now));
        let (taken, full_at) = match (full_at - now + each).checked_sub(WINDOW) {
            Some(next_in) if !next_in.is_zero() => (Taken::None { next_in }, full_at),
            _ => (Taken::One, full_at + each),
        };
        if self.young.len() >= self.most / 2 && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, full_at);
        let full_in = full_at - now;
        let left = WINDOW.saturating_sub(full_in).as_nanos() / each.as_nanos().max(1);
        Standing { taken, left: u32::try_from(left).unwrap_or(u32::MAX), full_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(requests: u32) -> Quota {
        Quota { requests: NonZeroU32::new(requests).unwrap() }
    }

    #[test]
    fn a_bucket_gives_what_is_in_it_and_fills_slowly() {
        let mut buckets = Buckets::new(10);
        let now = Instant::now();
        for left in [2, 1, 0] {
            let standing = buckets.take("a", quota(3), now);
            assert_eq!((standing.taken, standing.left), (Taken::One, left));
        }
        let empty = buckets.take("a", quota(3), now + Duration::from_secs(5));
        let next_in = Duration::from_secs(15);
        assert_eq!(
            empty,
            Standing { taken: Taken::None { next_in }, left: 0, full_in: Duration::from_secs(55) }
        );
        assert_eq!(buckets.take("b", quota(3), now).taken, Taken::One, "of somebody else");

        let later = now + Duration::from_secs(20);
        assert_eq!(buckets.take("a", quota(3), later).taken, Taken::One);
        assert_ne!(buckets.take("a", quota(3), later).taken, Taken::One);
        let much_later = now + Duration::from_hours(1);
        assert_eq!(buckets.take("a", quota(3), much_later).left, 2, "it was full, and no fuller");
    }

    #[test]
    fn there_are_never_more_buckets_than_were_allowed() {
        let mut buckets = Buckets::new(100);
        let now = Instant::now();
        for number in 0..10_000 {
            buckets.take(number, quota(1), now);
            assert!(buckets.young.len() + buckets.old.len() <= 100);
            let again = buckets.take(number, quota(1), now);
            assert_ne!(again.taken, Taken::One, "those used last are known");
        }
    }
}
