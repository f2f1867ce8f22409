//! What an operator can set of an executor.

use std::{num::NonZeroU32, time::Duration};

/// Of an executor. Every duration is a wall-clock time.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many attempts it is at, at most, at once. Default 10.
    pub slots: u32,
    /// When it is told to drain: how long what runs may go on until it is stopped and handed back, to be tried
    /// elsewhere. Default 60 s.
    pub grace: Duration,
    /// At its end: how long it waits, once nothing runs any more, until the bus has its last reports, and as
    /// long again until the driver has confirmed them. What is unconfirmed then stays in the spool. Default 5 s.
    pub farewell: Duration,
    /// How often it tells the roster that it is there. Default 5 s.
    pub heartbeat: Duration,
    /// Changes of what it is at are told together; so much time lies between two announcements, at least.
    /// Default 250 ms.
    pub announcement_gap: Duration,
    /// How long a slot rests after the bus refused a report, before its order goes back. Default 1 s.
    pub refusal_pause: Duration,
    /// How long it waits for the driver to say whether an attempt may begin that may have begun elsewhere. Only
    /// after the bus was interrupted. Default 10 s.
    pub start_answer: Duration,
    /// How long a slot rests after an attempt that failed because something had run out here: else one machine with a
    /// full disk, which fails at once, would get most of a fleet's work. Default 5 s.
    pub resource_pause: Duration,
    /// How long an attempt waits for the artifact store while it cannot be reached. Default 30 s.
    pub artifact_patience: Duration,
    /// Of the breaker before the model.
    pub breaker: BreakerSettings,
    /// Of the spool, if the executor has one.
    pub spool: SpoolSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            slots: 10,
            grace: Duration::from_mins(1),
            farewell: Duration::from_secs(5),
            heartbeat: Duration::from_secs(5),
            announcement_gap: Duration::from_millis(250),
            refusal_pause: Duration::from_secs(1),
            start_answer: Duration::from_secs(10),
            resource_pause: Duration::from_secs(5),
            artifact_patience: Duration::from_secs(30),
            breaker: BreakerSettings::default(),
            spool: SpoolSettings::default(),
        }
    }
}

/// When an executor stops spending attempts on a model that does not answer.
#[derive(Debug, Clone)]
pub struct BreakerSettings {
    /// After so many attempts in a row that failed because the model could not be used; `None`: never.
    /// Default 5.
    pub threshold: Option<NonZeroU32>,
    /// How long it takes no work then. Twice as long each time that the attempt it tries afterwards fails, too.
    /// Default 30 s.
    pub cool_down: Duration,
    /// But never longer than this. Default 10 min.
    pub longest_cool_down: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            threshold: NonZeroU32::new(5),
            cool_down: Duration::from_secs(30),
            longest_cool_down: Duration::from_mins(10),
        }
    }
}

/// How a spool sees to it that its reports arrive.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// How long to wait for the driver's confirmation until a report is published again. Twice as long each
    /// time. Default 10 s.
    pub republish: Duration,
    /// But never longer than this. Default 60 s.
    pub longest_republish: Duration,
    /// How many reports may be unconfirmed at once; whoever reports waits beyond that. Default 256.
    pub unconfirmed: usize,
    /// From which size on a file of the spool gets no more reports; it goes when all in it are confirmed.
    /// Default 8 MiB.
    pub segment_bytes: u64,
}

impl Default for SpoolSettings {
    fn default() -> Self {
        Self {
            republish: Duration::from_secs(10),
            longest_republish: Duration::from_mins(1),
            unconfirmed: 256,
            segment_bytes: 8 << 20,
        }
    }
}
