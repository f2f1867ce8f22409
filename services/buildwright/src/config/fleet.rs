//! Settings of a fleet, and of executors anywhere.

use super::{Config, set};
use names::TenantName;
use serde::Deserialize;
use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

super::section! {
    Postgres {
        readers: u32,
        connect_timeout_seconds: u64,
        statement_timeout_seconds: u64,
        lock_timeout_seconds: u64,
        idle_in_transaction_timeout_seconds: u64,
        append_patience_milliseconds: u64,
        listen: bool,
        poll_idle_milliseconds: u64,
        cached_builds: usize,
        snapshot_every: NonZeroUsize,
    }
}

super::section! {
    Nats {
        max_deliver: u32,
        queue_capacity: u32,
        request_timeout_seconds: u64,
        output_hours: u64,
        output_bytes: u64,
        events_hours: u64,
        events_bytes: u64,
        artifacts_hours: u64,
        copies_hours: u64,
        copies_bytes: u64,
        copies_settling_seconds: u64,
        executor_silence_seconds: u64,
    }
}

super::section! {
    Projector {
        gather_milliseconds: u64,
    }
}

super::section! {
    Driver {
        window_least: usize,
        window_per_slot: usize,
        sweep_seconds: u64,
        grace_seconds: u64,
        weights: HashMap<String, NonZeroU32>,
    }
}

super::section! {
    Executor {
        max_changed_files: usize,
        max_changed_bytes: u64,
        max_output_bytes: u64,
        max_output_line_bytes: usize,
        heartbeat_seconds: u64,
        farewell_seconds: u64,
        breaker_failures: u32,
        breaker_cool_down_seconds: u64,
        breaker_longest_cool_down_seconds: u64,
        republish_seconds: u64,
        longest_republish_seconds: u64,
        spool_segment_bytes: u64,
    }
}

pub(super) fn seconds(given: Option<u64>) -> Option<Duration> {
    given.map(Duration::from_secs)
}

pub(super) fn hours(given: Option<u64>) -> Option<Duration> {
    given.map(|hours| Duration::from_secs(hours.saturating_mul(3_600)))
}

impl Postgres {
    pub(super) fn apply(self, config: &mut Config) {
        let postgres = &mut config.postgres;
        set(&mut postgres.readers, self.readers);
        set(&mut postgres.connect_timeout, seconds(self.connect_timeout_seconds));
        set(&mut postgres.statement_timeout, seconds(self.statement_timeout_seconds));
        set(&mut postgres.lock_timeout, seconds(self.lock_timeout_seconds));
        let idle = seconds(self.idle_in_transaction_timeout_seconds);
        set(&mut postgres.idle_in_transaction_timeout, idle);
        set(&mut postgres.patience, self.append_patience_milliseconds.map(Duration::from_millis));
        set(&mut postgres.listen, self.listen);
        set(&mut postgres.poll_idle, self.poll_idle_milliseconds.map(Duration::from_millis));
        set(&mut config.cached_builds, self.cached_builds);
        set(&mut config.snapshot_every, self.snapshot_every);
    }
}

impl Nats {
    pub(super) fn apply(self, config: &mut Config) {
        let nats = &mut config.nats;
        set(&mut nats.max_deliver, self.max_deliver);
        set(&mut nats.queue_capacity, self.queue_capacity);
        set(&mut nats.request_timeout, seconds(self.request_timeout_seconds));
        set(&mut nats.output_age, hours(self.output_hours));
        set(&mut nats.output_bytes, self.output_bytes);
        set(&mut nats.events_age, hours(self.events_hours));
        set(&mut nats.events_bytes, self.events_bytes);
        set(&mut nats.artifacts_age, hours(self.artifacts_hours));
        set(&mut nats.copies.age, hours(self.copies_hours));
        set(&mut nats.copies.bytes, self.copies_bytes);
        set(&mut nats.copies.settling, seconds(self.copies_settling_seconds));
        set(&mut config.roster.expiry, seconds(self.executor_silence_seconds));
    }
}

impl Projector {
    pub(super) fn apply(self, config: &mut Config) {
        set(&mut config.gather, self.gather_milliseconds.map(Duration::from_millis));
    }
}

impl Driver {
    pub(super) fn apply(self, config: &mut Config) -> Result<(), names::FleetNameError> {
        let driver = &mut config.driver;
        if let driver::Window::BySlots { least, per_slot } = &mut driver.window {
            set(least, self.window_least);
            set(per_slot, self.window_per_slot);
        }
        set(&mut driver.sweep_interval, seconds(self.sweep_seconds));
        config.lost_after = seconds(self.grace_seconds).or(config.lost_after);
        for (tenant, weight) in self.weights.unwrap_or_default() {
            config.driver.weights.insert(TenantName::try_from(tenant)?, weight);
        }
        Ok(())
    }
}

impl Executor {
    pub(super) fn apply(self, config: &mut Config) {
        set(&mut config.harvest.max_files, self.max_changed_files);
        set(&mut config.harvest.max_bytes, self.max_changed_bytes);
        set(&mut config.output.work_bytes, self.max_output_bytes);
        set(&mut config.output.line_bytes, self.max_output_line_bytes);
        let executor = &mut config.executor;
        set(&mut executor.heartbeat, seconds(self.heartbeat_seconds));
        set(&mut executor.farewell, seconds(self.farewell_seconds));
        if let Some(failures) = self.breaker_failures {
            executor.breaker.threshold = NonZeroU32::new(failures);
        }
        set(&mut executor.breaker.cool_down, seconds(self.breaker_cool_down_seconds));
        set(&mut executor.breaker.longest_cool_down, seconds(self.breaker_longest_cool_down_seconds));
        set(&mut executor.spool.republish, seconds(self.republish_seconds));
        set(&mut executor.spool.longest_republish, seconds(self.longest_republish_seconds));
        set(&mut executor.spool.segment_bytes, self.spool_segment_bytes);
    }
}
