use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Lengths of pauses between those who want the same stream: different for everybody, and known to no decision.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    keys: RandomState,
    rolls: AtomicU64,
}

impl Pauses {
    /// Before deciding again after so many conflicts: none after the first, for mostly there was one other; then
    /// longer each time, up to 100 ms.
    pub(crate) fn after_conflicts(&self, conflicts: u32) -> Duration {
        match conflicts {
            0 | 1 => Duration::ZERO,
            more => self.up_to(1_000_u64.saturating_mul(1 << more.min(10)).min(100_000)),
        }
    }

    /// Before the next append of who was faster than somebody else: long enough for that one to read and append.
    pub(crate) fn courtesy(&self) -> Duration {
        self.up_to(4_000)
    }

    /// Half of it at least.
    fn up_to(&self, most: u64) -> Duration {
        let roll = self.keys.hash_one(self.rolls.fetch_add(1, Ordering::Relaxed));
        Duration::from_micros(most / 2 + roll % (most / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn pauses_grow_stay_bounded_and_differ() {
        let pauses = Pauses::default();
        assert_eq!([0, 1].map(|conflicts| pauses.after_conflicts(conflicts)), [Duration::ZERO; 2]);
        for (conflicts, most) in [(2, 4), (3, 8), (5, 32), (20, 100), (u32::MAX, 100)] {
            let most = Duration::from_millis(most);
            let rolled: HashSet<_> = (0..100).map(|_| pauses.after_conflicts(conflicts)).collect();
            assert!(rolled.iter().all(|pause| (most / 2..most).contains(pause)), "{rolled:?}");
            assert!(rolled.len() > 50, "{rolled:?}");
        }
    }
}
