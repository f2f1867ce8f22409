use domain::build::Limits;
use ports::KeyLimits;
use std::{num::NonZeroUsize, time::Duration};

/// Bounds and defaults of the HTTP edge.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The model of builds that name none.
    pub default_model: String,
    /// The limits of builds that name none.
    pub default_limits: Limits,
    /// How large a client's plan may be.
    pub plan_bounds: plan::Bounds,
    /// Most characters of a prompt.
    pub max_prompt_chars: usize,
    /// Most bytes of a request's body.
    pub max_body_bytes: usize,
    /// Most levels of nesting in a request's JSON. Below serde_json's own 128.
    pub max_json_depth: usize,
    /// Most labels of a build.
    pub max_labels: usize,
    /// Most seconds a build may be given.
    pub max_build_timeout_seconds: u32,
    /// Most tasks at once that a build may ask for.
    pub max_parallel: u32,
    /// Most attempts at one task that a build may ask for.
    pub max_attempts: u32,
    /// Longest `wait` of a long poll.
    pub max_wait: Duration,
    /// So long may the body of a request take to arrive.
    pub body_timeout: Duration,
    /// So long may an answer take to begin, a long poll's wait apart.
    pub answer_timeout: Duration,
    /// After so long a client is told to try again what was not available; whole seconds.
    pub retry_after: Duration,
    /// So long may the event store take to answer for the process to count as ready.
    pub ready_patience: Duration,
    /// So long a list waits for the projector to show what was answered before.
    pub read_your_writes: Duration,
    /// Time between comments on an idle event stream, so that proxies keep it open.
    pub heartbeat: Duration,
    /// Most bytes of a diff.
    pub max_diff_bytes: usize,
    /// So many events may the projector be behind for the process to count as ready.
    pub max_projection_lag: u64,
    /// So long may open requests take to end once the process stops.
    pub drain: Duration,
    /// Whether a build may start from a repository on this machine's disk. Never where clients are not the
    /// owner of the machine.
    pub allow_local_repositories: bool,
    /// Of API keys.
    pub keys: KeySettings,
}

/// Bounds and defaults of API keys.
#[derive(Debug, Clone)]
pub struct KeySettings {
    /// So long is trusted what the store said of a key; so long can a revoked key still work.
    pub trusted: Duration,
    /// Of so many keys at most it is remembered.
    pub remembered: NonZeroUsize,
    /// So often is written down when keys were used.
    pub note_uses_every: Duration,
    /// The limits of keys that have none of their own.
    pub limits: KeyLimits,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            trusted: Duration::from_secs(3),
            remembered: NonZeroUsize::MIN.saturating_add(9_999),
            note_uses_every: Duration::from_mins(1),
            limits: KeyLimits::default(),
        }
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            default_model: "sonnet".to_owned(),
            default_limits: Limits::default(),
            plan_bounds: plan::Bounds::default(),
            max_prompt_chars: 100_000,
            max_body_bytes: 4 << 20,
            max_json_depth: 64,
            max_labels: 64,
            max_build_timeout_seconds: 7 * 24 * 3600,
            max_parallel: 1_000,
            max_attempts: 10,
            max_wait: Duration::from_mins(1),
            body_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(2),
            ready_patience: Duration::from_secs(2),
            read_your_writes: Duration::from_secs(5),
            heartbeat: Duration::from_secs(15),
            max_diff_bytes: 10 << 20,
            max_projection_lag: 10_000,
            drain: Duration::from_secs(10),
            allow_local_repositories: false,
            keys: KeySettings::default(),
        }
    }
}
