//! Settings of a fleet, and of executors anywhere.

use super::{
    Config, set,
    span::{Hours, HoursOrNone, Milliseconds, MillisecondsOrNone, Seconds, SecondsOrNone},
};
use names::TenantName;
use serde::Deserialize;
use std::{
    collections::HashMap,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    time::Duration,
};

super::section! {
    Postgres {
        readers: NonZeroU32,
        connect_timeout_seconds: Seconds,
        statement_timeout_seconds: Seconds,
        lock_timeout_seconds: Seconds,
        idle_in_transaction_timeout_seconds: Seconds,
        append_patience_milliseconds: MillisecondsOrNone,
        listen: bool,
        poll_busy_milliseconds: Milliseconds,
        poll_idle_milliseconds: Milliseconds,
        tail_events: usize,
        tail_bytes: usize,
        cached_builds: usize,
        snapshot_every: NonZeroUsize,
    }
}

super::section! {
    Nats {
        max_deliver: NonZeroU32,
        queue_capacity: NonZeroU32,
        request_timeout_seconds: Seconds,
        output_hours: Hours,
        output_bytes: NonZeroU64,
        events_hours: Hours,
        events_bytes: NonZeroU64,
        artifacts_hours: Hours,
        copies_hours: HoursOrNone,
        copies_bytes: u64,
        copies_settling_seconds: SecondsOrNone,
        executor_silence_seconds: Seconds,
    }
}

super::section! {
    Projector {
        gather_milliseconds: MillisecondsOrNone,
    }
}

super::section! {
    Driver {
        window_least: NonZeroUsize,
        window_per_slot: usize,
        sweep_seconds: Seconds,
        grace_seconds: Seconds,
        weights: HashMap<String, NonZeroU32>,
    }
}

super::section! {
    Executor {
        max_changed_files: usize,
        max_changed_bytes: u64,
        max_output_bytes: NonZeroU64,
        max_output_line_bytes: NonZeroUsize,
        heartbeat_seconds: Seconds,
        farewell_seconds: SecondsOrNone,
        artifact_patience_seconds: SecondsOrNone,
        resource_pause_seconds: SecondsOrNone,
        breaker_failures: u32,
        breaker_cool_down_seconds: Seconds,
        breaker_longest_cool_down_seconds: Seconds,
        republish_seconds: Seconds,
        longest_republish_seconds: Seconds,
        spool_segment_bytes: NonZeroU64,
    }
}

impl Postgres {
    pub(super) fn apply(self, config: &mut Config) {
        let postgres = &mut config.postgres;
        set(&mut postgres.readers, self.readers);
        set(&mut postgres.connect_timeout, self.connect_timeout_seconds);
        set(&mut postgres.statement_timeout, self.statement_timeout_seconds);
        set(&mut postgres.lock_timeout, self.lock_timeout_seconds);
        let idle = self.idle_in_transaction_timeout_seconds;
        set(&mut postgres.idle_in_transaction_timeout, idle);
        set(&mut postgres.patience, self.append_patience_milliseconds);
        set(&mut postgres.listen, self.listen);
        set(&mut postgres.poll_busy, self.poll_busy_milliseconds);
        set(&mut postgres.poll_idle, self.poll_idle_milliseconds);
        set(&mut postgres.tail_events, self.tail_events);
        set(&mut postgres.tail_bytes, self.tail_bytes);
        set(&mut config.cached_builds, self.cached_builds);
        set(&mut config.snapshot_every, self.snapshot_every);
    }
}

impl Nats {
    pub(super) fn apply(self, config: &mut Config) {
        let nats = &mut config.nats;
        set(&mut nats.max_deliver, self.max_deliver);
        set(&mut nats.queue_capacity, self.queue_capacity);
        set(&mut nats.request_timeout, self.request_timeout_seconds);
        set(&mut nats.output_age, self.output_hours);
        set(&mut nats.output_bytes, self.output_bytes);
        set(&mut nats.events_age, self.events_hours);
        set(&mut nats.events_bytes, self.events_bytes);
        set(&mut nats.artifacts_age, self.artifacts_hours);
        set(&mut nats.copies.age, self.copies_hours);
        set(&mut nats.copies.bytes, self.copies_bytes);
        set(&mut nats.copies.settling, self.copies_settling_seconds);
        set(&mut config.roster.expiry, self.executor_silence_seconds);
    }
}

impl Projector {
    pub(super) fn apply(self, config: &mut Config) {
        set(&mut config.gather, self.gather_milliseconds);
    }
}

impl Driver {
    pub(super) fn apply(self, config: &mut Config) -> Result<(), names::FleetNameError> {
        let driver = &mut config.driver;
        if let driver::Window::BySlots { least, per_slot } = &mut driver.window {
            set(least, self.window_least);
            set(per_slot, self.window_per_slot);
        }
        set(&mut driver.sweep_interval, self.sweep_seconds);
        config.lost_after = self.grace_seconds.map(Duration::from).or(config.lost_after);
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
        set(&mut executor.heartbeat, self.heartbeat_seconds);
        set(&mut executor.farewell, self.farewell_seconds);
        set(&mut executor.resource_pause, self.resource_pause_seconds);
        set(&mut executor.artifact_patience, self.artifact_patience_seconds);
        if let Some(failures) = self.breaker_failures {
            executor.breaker.threshold = NonZeroU32::new(failures);
        }
        set(&mut executor.breaker.cool_down, self.breaker_cool_down_seconds);
        set(&mut executor.breaker.longest_cool_down, self.breaker_longest_cool_down_seconds);
        set(&mut executor.spool.republish, self.republish_seconds);
        set(&mut executor.spool.longest_republish, self.longest_republish_seconds);
        set(&mut executor.spool.segment_bytes, self.spool_segment_bytes);
    }
}
