//! How events are delivered.

use std::time::Duration;
use webhooks::Schedule;

/// How events are delivered.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When a delivery is tried again.
    pub schedule: Schedule,
    /// How long everything sent to an endpoint may fail before it is disabled.
    pub patience: Duration,
    /// Longest time that everything to an endpoint waits because it asked for it.
    pub longest_pause: Duration,
    /// Most requests under way to all endpoints, beside one for each that nobody can take from it.
    pub at_once: usize,
    /// Most events that wait in memory for an endpoint.
    pub window: usize,
    /// How long results are gathered before they are stored …
    pub flush_after: Duration,
    /// … unless there are so many before.
    pub flush_results: usize,
    /// How long an endpoint waits after it has read the log to its end, so that what comes meanwhile is read at once.
    pub gather: Duration,
    /// Every how many events that are not for an endpoint it is stored that it has passed them.
    pub cursor_every: u64,
    /// How often the store is asked what somebody wants redelivered.
    pub poll: Duration,
    /// How long what became of deliveries is kept.
    pub keep: Duration,
    /// How long an endpoint that was made for one build stays when that has ended and nothing is pending.
    pub keep_one_off: Duration,
    /// How often what is older is removed …
    pub prune_every: Duration,
    /// … and how many at once.
    pub prune_step: usize,
    /// How many builds are remembered with project and labels.
    pub remembered_builds: usize,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            schedule: Schedule::standard(),
            patience: Duration::from_secs(5 * DAY),
            longest_pause: Duration::from_secs(300),
            at_once: 1_024,
            window: 256,
            flush_after: Duration::from_millis(50),
            flush_results: 200,
            gather: Duration::from_millis(5),
            cursor_every: 5_000,
            poll: Duration::from_secs(1),
            keep: Duration::from_secs(30 * DAY),
            keep_one_off: Duration::from_secs(3_600),
            prune_every: Duration::from_secs(600),
            prune_step: 1_000,
            remembered_builds: 4_096,
        }
    }
}
