//! Settings of the delivery of webhooks.

use super::{
    set,
    span::{Milliseconds, MillisecondsOrNone, Seconds, SecondsOrNone},
};
use serde::Deserialize;
use std::{
    num::{NonZeroU64, NonZeroUsize},
    time::Duration,
};
use webhooks::{Schedule, ScheduleError};

super::section! {
    Deliveries {
        wait_seconds: Vec<SecondsOrNone>,
        jitter_percent: u8,
        longest_retry_after_seconds: SecondsOrNone,
        longest_pause_seconds: SecondsOrNone,
        disable_after_seconds: Seconds,
        at_once: NonZeroUsize,
        window: NonZeroUsize,
        flush_milliseconds: MillisecondsOrNone,
        flush_results: NonZeroUsize,
        gather_milliseconds: MillisecondsOrNone,
        cursor_every: NonZeroU64,
        poll_milliseconds: Milliseconds,
        keep_seconds: Seconds,
        keep_one_off_seconds: SecondsOrNone,
        prune_seconds: Seconds,
        prune_step: NonZeroUsize,
        remembered_builds: NonZeroUsize,
    }
}

impl Deliveries {
    pub(super) fn apply(self, courier: &mut courier::Settings) -> Result<(), ScheduleError> {
        let schedule = (self.wait_seconds, self.jitter_percent, self.longest_retry_after_seconds);
        if !matches!(schedule, (None, None, None)) {
            let (waits, jitter, longest) = schedule;
            let waits = match waits {
                Some(waits) => waits.into_iter().map(Duration::from).collect(),
                None => Schedule::STANDARD_WAITS.map(Duration::from_secs).to_vec(),
            };
            let longest = longest.map_or(Duration::from_hours(24), Duration::from);
            courier.schedule = Schedule::new(waits, jitter.unwrap_or(20), longest)?;
        }
        set(&mut courier.longest_pause, self.longest_pause_seconds);
        set(&mut courier.patience, self.disable_after_seconds);
        set(&mut courier.at_once, self.at_once);
        set(&mut courier.window, self.window);
        set(&mut courier.flush_after, self.flush_milliseconds);
        set(&mut courier.flush_results, self.flush_results);
        set(&mut courier.gather, self.gather_milliseconds);
        set(&mut courier.cursor_every, self.cursor_every);
        set(&mut courier.poll, self.poll_milliseconds);
        set(&mut courier.keep, self.keep_seconds);
        set(&mut courier.keep_one_off, self.keep_one_off_seconds);
        set(&mut courier.prune_every, self.prune_seconds);
        set(&mut courier.prune_step, self.prune_step);
        set(&mut courier.remembered_builds, self.remembered_builds);
        Ok(())
    }
}
