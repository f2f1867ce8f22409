use std::{hash::BuildHasher, hash::RandomState, time::Duration};

/// Chance, of which no decision about builds hears: numbers of statements and lengths of pauses.
#[derive(Debug, Default)]
pub(crate) struct Dice {
    keys: RandomState,
    rolls: u64,
}

impl Dice {
    /// A number that no other process rolls, as good as surely.
    pub(crate) fn roll(&mut self) -> i64 {
        self.rolls += 1;
        self.keys.hash_one(self.rolls).cast_signed()
    }

    /// A pause before trying again: longer each time, up to 100 ms, and different for everybody.
    pub(crate) fn pause(&mut self, tries: u32) -> Duration {
        let most = 2_000_u64.saturating_mul(1 << tries.min(6)).min(100_000);
        Duration::from_micros(most / 2 + self.roll().unsigned_abs() % (most / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut dice = Dice::default();
        for (tries, most) in [(0, 2), (1, 4), (3, 16), (20, 100), (u32::MAX, 100)] {
            for _ in 0..100 {
                let pause = dice.pause(tries);
                let most = Duration::from_millis(most);
                assert!((most / 2..most).contains(&pause), "{pause:?} after {tries} tries");
            }
        }
    }
}
