//! Chance that can be repeated.

use std::{
    env,
    time::{Duration, SystemTime},
};

/// A source of chance (SplitMix64). It says its seed, which `BUILDWRIGHT_TEST_SEED` sets again.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// A new one, seeded by the environment or by the clock.
    #[must_use]
    pub fn new() -> Self {
        let given = env::var("BUILDWRIGHT_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
            now.as_secs() ^ u64::from(now.subsec_nanos())
        });
        println!("to repeat the chances of this test: BUILDWRIGHT_TEST_SEED={seed}");
        Self(seed)
    }

    /// A duration below the limit.
    pub fn duration(&mut self, limit: Duration) -> Duration {
        let most = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.next() % most)
    }

    /// One of these.
    ///
    /// # Panics
    /// When there are none.
    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[usize::try_from(self.next() % these.len() as u64).expect("an index")]
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}
