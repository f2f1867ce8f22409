//! How many deliveries an endpoint wants within a second.

use chrono::{DateTime, TimeDelta, Utc};

/// A bucket of tokens, one of which each delivery takes. It holds what a tenth of a second brings, so that a
/// pause is not made up for by a flood.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Microseconds that a token takes to come; 0 where there is no bound.
    each: i64,
    most: i64,
    /// When the bucket would be empty of debts: tokens are counted as time.
    free_at: DateTime<Utc>,
}

impl Bucket {
    pub(crate) fn new(per_second: Option<u32>) -> Self {
        let (each, most) = match per_second.map(i64::from) {
            None | Some(0) => (0, 0),
            Some(rate) => (1_000_000 / rate.min(1_000_000), 100_000),
        };
        Self { each, most: most.max(each), free_at: DateTime::UNIX_EPOCH }
    }

    /// Takes a token, or says when there will be one.
    pub(crate) fn take(&mut self, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        if self.each == 0 {
            return Ok(());
        }
        let earliest = now - TimeDelta::microseconds(self.most - self.each);
        // Nobody waits for more than a token: the clock was set back.
        let impossible = self.free_at > now + TimeDelta::microseconds(self.each);
        let free_at = if impossible { now } else { self.free_at.max(earliest) };
        if free_at > now {
            return Err(free_at);
        }
        self.free_at = free_at + TimeDelta::microseconds(self.each);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(millis)
    }

    /// How many of many tries, one each millisecond, were let through.
    fn let_through(bucket: &mut Bucket, millis: std::ops::Range<i64>) -> usize {
        millis.filter(|n| bucket.take(at(*n)).is_ok()).count()
    }

    #[test]
    fn no_more_pass_within_a_second_than_are_wanted() {
        let mut bucket = Bucket::new(Some(50));
        let passed = let_through(&mut bucket, 0..1_000);
        assert!((50..=55).contains(&passed), "{passed}");
        // A pause brings a tenth of a second's worth at once, and no more.
        let at_once = (0..100).filter(|_| bucket.take(at(60_000)).is_ok()).count();
        assert_eq!(at_once, 5);
    }

    #[test]
    fn a_slow_rate_lets_one_pass_at_a_time() {
        let mut bucket = Bucket::new(Some(1));
        assert_eq!(bucket.take(at(0)), Ok(()));
        assert_eq!(bucket.take(at(1)), Err(at(1_000)));
        assert_eq!(bucket.take(at(1_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nobody() {
        for rate in [1, 50] {
            let mut bucket = Bucket::new(Some(rate));
            assert_eq!(bucket.take(at(3_600_000)), Ok(()));
            assert_eq!(bucket.take(at(0)), Ok(()), "at {rate} a second");
            let passed = let_through(&mut bucket, 0..1_000);
            assert!(passed <= rate as usize + 5, "{passed} at {rate} a second");
        }
    }

    #[test]
    fn without_a_rate_everything_passes() {
        let mut bucket = Bucket::new(None);
        assert!((0..10_000).all(|_| bucket.take(at(0)).is_ok()));
    }
}
