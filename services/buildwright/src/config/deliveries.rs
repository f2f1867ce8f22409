//! Settings of the delivery of webhooks.

use super::{fleet::seconds, set};
use serde::Deserialize;
use std::time::Duration;
use webhooks::{Schedule, ScheduleError};

super::section! {
    Deliveries {
        wait_seconds: Vec<u64>,
        jitter_percent: u8,
        longest_retry_after_seconds: u64,
        longest_pause_seconds: u64,
        disable_after_seconds: u64,
        at_once: usize,
        window: usize,
        flush_milliseconds: u64,
        flush_results: usize,
        gather_milliseconds: u64,
        cursor_every: u64,
        poll_milliseconds: u64,
        keep_seconds: u64,
        keep_one_off_seconds: u64,
        prune_seconds: u64,
        prune_step: usize,
        remembered_builds: usize,
    }
}

impl Deliveries {
    pub(super) fn apply(self, courier: &mut courier::Settings) -> Result<(), ScheduleError> {
        let millis = |given: Option<u64>| given.map(Duration::from_millis);
        let schedule = (self.wait_seconds, self.jitter_percent, self.longest_retry_after_seconds);
        if schedule != (None, None, None) {
            let (waits, jitter, longest) = schedule;
            let waits = waits.unwrap_or_else(|| Schedule::STANDARD_WAITS.to_vec());
            let waits = waits.into_iter().map(Duration::from_secs).collect();
            let longest = Duration::from_secs(longest.unwrap_or(86_400));
            courier.schedule = Schedule::new(waits, jitter.unwrap_or(20), longest)?;
        }
        set(&mut courier.longest_pause, seconds(self.longest_pause_seconds));
        set(&mut courier.patience, seconds(self.disable_after_seconds));
        set(&mut courier.at_once, self.at_once);
        set(&mut courier.window, self.window);
        set(&mut courier.flush_after, millis(self.flush_milliseconds));
        set(&mut courier.flush_results, self.flush_results);
        set(&mut courier.gather, millis(self.gather_milliseconds));
        set(&mut courier.cursor_every, self.cursor_every);
        set(&mut courier.poll, millis(self.poll_milliseconds));
        set(&mut courier.keep, seconds(self.keep_seconds));
        set(&mut courier.keep_one_off, seconds(self.keep_one_off_seconds));
        set(&mut courier.prune_every, seconds(self.prune_seconds));
        set(&mut courier.prune_step, self.prune_step);
        set(&mut courier.remembered_builds, self.remembered_builds);
        Ok(())
    }
}
