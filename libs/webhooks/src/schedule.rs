use std::time::Duration;

/// Why there can be no such [`Schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It would never send anything.
    #[error("must have at least one attempt")]
    NoAttempts,
    /// Waiting longer or shorter by more than all of it.
    #[error("jitter must be at most 100 percent, not {0}")]
    Jitter(u8),
}

/// When a message is sent: how long to wait before each attempt.
///
/// ```
/// use std::time::Duration;
/// use buildwright_webhooks::Schedule;
///
/// let schedule = Schedule::standard();
/// assert_eq!(schedule.attempts(), 10);
/// // The first attempt failed; a random number in the middle means no jitter.
/// assert_eq!(schedule.wait_after(1, None, u32::MAX / 2).map(|wait| wait.as_secs()), Some(5));
/// // The receiver asked for a minute.
/// let asked = Some(Duration::from_secs(60));
/// assert_eq!(schedule.wait_after(1, asked, 0), asked);
/// // That was the last.
/// assert_eq!(schedule.wait_after(10, None, 0), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    waits: Vec<Duration>,
    jitter_percent: u8,
    longest_asked: Duration,
}

impl Schedule {
    /// The waits of the standard schedule, in seconds.
    pub const STANDARD_WAITS: [u64; 10] = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

    /// What the specification suggests, which takes three days and some hours: at once, then
    /// after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h; give or take 20 percent.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            waits: Self::STANDARD_WAITS.map(Duration::from_secs).into(),
            jitter_percent: 20,
            longest_asked: Duration::from_secs(24 * 3_600),
        }
    }

    /// Another one. `waits` has one entry an attempt, the first of which is usually zero; a
    /// receiver that asks for more patience than `longest_asked` gets that much.
    ///
    /// # Errors
    /// When it has no attempts, or too much jitter.
    pub fn new(
        waits: Vec<Duration>,
        jitter_percent: u8,
        longest_asked: Duration,
    ) -> Result<Self, ScheduleError> {
        if waits.is_empty() {
            return Err(ScheduleError::NoAttempts);
        }
        if jitter_percent > 100 {
            return Err(ScheduleError::Jitter(jitter_percent));
        }
        Ok(Self { waits, jitter_percent, longest_asked })
    }

    /// How often a message is sent at most.
    #[must_use]
    pub fn attempts(&self) -> usize {
        self.waits.len()
    }

    /// How long to wait after this many attempts, or nothing when that was the last of them.
    ///
    /// `asked` is what the receiver said in `Retry-After`, see [`crate::retry_after`]. It can make
    /// the wait longer, never shorter. `random` is any number: its place between 0 and the
    /// greatest decides on the jitter.
    #[must_use]
    pub fn wait_after(&self, attempts: usize, asked: Option<Duration>, random: u32) -> Option<Duration> {
        let wait = self.jittered(*self.waits.get(attempts)?, random);
        let asked = asked.unwrap_or_default().min(self.longest_asked);
        Some(wait.max(asked))
    }

    fn jittered(&self, wait: Duration, random: u32) -> Duration {
        let place = f64::from(random) / f64::from(u32::MAX) * 2.0 - 1.0;
        let factor = 1.0 + place * f64::from(self.jitter_percent) / 100.0;
        Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(wait)
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::standard()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_standard_schedule_goes_on_for_three_days() {
        let schedule = Schedule::new(Schedule::standard().waits, 0, Duration::ZERO).expect("a schedule");
        let waits: Vec<u64> =
            (0..10).map_while(|n| schedule.wait_after(n, None, 77)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(waits.iter().sum::<u64>(), 75 * 3_600 + 35 * 60 + 5);
        assert_eq!(schedule.wait_after(10, None, 77), None);
        assert_eq!(schedule.wait_after(usize::MAX, None, 77), None);
    }

    #[test]
    fn who_asks_for_patience_gets_it_within_bounds() {
        let schedule = Schedule::standard();
        let hours = |n: u64| Duration::from_secs(n * 3_600);
        assert_eq!(schedule.wait_after(1, Some(hours(1)), 0), Some(hours(1)));
        assert_eq!(schedule.wait_after(1, Some(Duration::MAX), 0), Some(hours(24)));
        // It can't make us hurry.
        assert!(schedule.wait_after(4, Some(Duration::ZERO), 0) > Some(hours(1)));
        // Nor make us try once more.
        assert_eq!(schedule.wait_after(10, Some(hours(1)), 0), None);
    }

    #[test]
    fn a_schedule_without_attempts_or_with_too_much_jitter_is_refused() {
        assert_eq!(Schedule::new(vec![], 0, Duration::ZERO), Err(ScheduleError::NoAttempts));
        assert_eq!(Schedule::new(vec![Duration::ZERO], 101, Duration::ZERO), Err(ScheduleError::Jitter(101)));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_percentage(
            seconds in 0..1_000_000_u64, percent in 0..=100_u8, random in any::<u32>(),
        ) {
            let wait = Duration::from_secs(seconds);
            let schedule = Schedule::new(vec![wait], percent, Duration::ZERO).expect("a schedule");
            let jittered = schedule.wait_after(0, None, random).expect("an attempt").as_secs_f64();
            let most = wait.as_secs_f64() * f64::from(percent) / 100.0;
            prop_assert!((jittered - wait.as_secs_f64()).abs() <= most + 1e-6);
        }

        #[test]
        fn no_wait_makes_it_panic(millis in any::<u64>(), percent in 0..=100_u8, random in any::<u32>()) {
            let wait = Duration::from_secs(millis);
            let schedule = Schedule::new(vec![wait], percent, Duration::MAX).expect("a schedule");
            prop_assert!(schedule.wait_after(0, Some(wait), random).is_some());
        }
    }

    #[test]
    fn jitter_goes_both_ways() {
        let schedule = Schedule::standard();
        let wait = |random| schedule.wait_after(2, None, random).map(|wait| wait.as_secs());
        assert_eq!(wait(0), Some(240));
        assert_eq!(wait(u32::MAX), Some(360));
    }
}
