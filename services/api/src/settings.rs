use connections::Bounds;
use domain::build::Limits;
use http::HeaderValue;
use names::PoolName;
use ports::KeyLimits;
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroUsize},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

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
    /// Time between signs of life on an idle stream, so that proxies keep it open.
    pub heartbeat: Duration,
    /// Of streams that are followed.
    pub streams: StreamSettings,
    /// Most bytes of a diff.
    pub max_diff_bytes: usize,
    /// So many events may the projector be behind for the process to count as ready.
    pub max_projection_lag: u64,
    /// Of requests that may come twice.
    pub idempotency: IdempotencySettings,
    /// Of requests altogether.
    pub rate: RateSettings,
    /// Which web pages may use this server, and under which names it does.
    pub origins: Arc<OriginSettings>,
    /// Of connections.
    pub connections: Bounds,
    /// The pools that builds may go to; any if none is named.
    pub pools: BTreeSet<PoolName>,
    /// Whether a build may start from a repository on this machine's disk. Never where clients are not the
    /// owner of the machine.
    pub allow_local_repositories: bool,
    /// Of API keys.
    pub keys: KeySettings,
    /// Of webhook endpoints.
    pub webhooks: WebhookSettings,
}

/// Bounds and defaults of webhook endpoints.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where messages may go.
    pub targets: egress::Policy,
    /// Most endpoints of a tenant, those apart that were made for one build.
    pub max_endpoints: usize,
    /// Most projects that an endpoint may choose builds by.
    pub max_projects: usize,
    /// Most characters of a description.
    pub max_description_chars: usize,
    /// How many deliveries are under way at once to an endpoint that says nothing of it …
    pub default_concurrency: u32,
    /// … and how many there may be.
    pub max_concurrency: u32,
    /// Most deliveries that may be begun within a second, if an endpoint has a bound on them.
    pub max_rate_per_second: u32,
    /// Seconds that a delivery may take to an endpoint that says nothing of it …
    pub default_timeout_seconds: u32,
    /// … and how many it may take.
    pub max_timeout_seconds: u32,
    /// So long an old secret stays valid beside a new one, if the client says nothing of it …
    pub rotation_grace: Duration,
    /// … and so long it may.
    pub max_rotation_grace: Duration,
    /// What an endpoint's own headers may look like.
    pub headers: webhooks::HeaderRules,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            targets: egress::Policy::default(),
            max_endpoints: 100,
            max_projects: 50,
            max_description_chars: 500,
            default_concurrency: 8,
            max_concurrency: 64,
            max_rate_per_second: 1_000,
            default_timeout_seconds: 15,
            max_timeout_seconds: 30,
            rotation_grace: Duration::from_hours(24),
            max_rotation_grace: Duration::from_hours(7 * 24),
            headers: webhooks::HeaderRules::default(),
        }
    }
}

/// Bounds of streams that are followed.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Most followers of this process …
    pub max_followers: usize,
    /// … and of a tenant among them.
    pub max_followers_per_tenant: usize,
    /// So long may a WebSocket take to answer a ping.
    pub pong_timeout: Duration,
    /// So long a WebSocket may take to close once it was told to.
    pub close_timeout: Duration,
    /// So often is looked whether the key that opened a stream still holds; what the store said of it is trusted for
    /// as long as for requests.
    pub check_keys_every: Duration,
    /// Most followers that read the store at the same time, because they have just come or were too slow.
    pub max_readers: usize,
    /// Most bytes of events that are kept for followers who are about to take them; others read the store.
    pub recent_bytes: usize,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            max_followers: 3_000,
            max_followers_per_tenant: 2_000,
            pong_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            check_keys_every: Duration::from_secs(3),
            max_readers: 4,
            recent_bytes: 16 << 20,
        }
    }
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

/// Of requests with an `Idempotency-Key`.
#[derive(Debug, Clone)]
pub struct IdempotencySettings {
    /// So long a key is kept.
    pub keep: Duration,
    /// So long a request may take until another process takes it over.
    pub lease: Duration,
    /// The pause between two removals of old keys.
    pub prune_every: Duration,
    /// Most bytes of an answer that is kept.
    pub max_answer_bytes: usize,
}

impl Default for IdempotencySettings {
    fn default() -> Self {
        Self {
            keep: Duration::from_hours(24),
            lease: Duration::from_mins(1),
            prune_every: Duration::from_mins(1),
            max_answer_bytes: 4 << 20,
        }
    }
}

/// Which web pages may use this server, and under which names it may be looked for.
#[derive(Debug, Clone, Default)]
pub struct OriginSettings {
    /// Pages of these origins may read answers and change things.
    pub cors_origins: Vec<Origin>,
    /// Names beside `localhost` that a `Host` header may give. If there are some, a listener that other machines
    /// reach answers under no others either.
    pub allowed_hosts: Vec<String>,
}

impl OriginSettings {
    pub(crate) fn allows(&self, origin: &HeaderValue) -> bool {
        self.cors_origins.iter().any(|allowed| match allowed {
            Origin::Any => true,
            Origin::One(one) => origin.as_bytes().eq_ignore_ascii_case(one.as_bytes()),
        })
    }
}

/// Where a web page comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Origin {
    /// From anywhere: `*`.
    Any,
    /// From one place, as browsers write it: `https://name` or `https://name:port`.
    One(String),
}

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be * or an origin such as https://example.com or http://localhost:3000, without a path")]
pub struct OriginError;

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let uri: http::Uri = text.parse().map_err(|_| OriginError)?;
        let bare = uri.path() == "/" && uri.query().is_none() && !text.ends_with('/');
        let named = uri.scheme().is_some() && uri.authority().is_some_and(|it| !it.as_str().contains('@'));
        if bare && named { Ok(Self::One(text.to_owned())) } else { Err(OriginError) }
    }
}

/// How much each may ask for, of each process.
#[derive(Debug, Clone)]
pub struct RateSettings {
    /// Most requests of a principal within a minute, unless its key says otherwise; as many as come if `None`.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Most answers within a minute to an address whose requests do not say who asks; further ones say no more
    /// than that.
    pub failures_per_minute: Option<NonZeroU32>,
    /// Of so many, at most, is counted how much they asked for.
    pub most_buckets: usize,
}

impl Default for RateSettings {
    fn default() -> Self {
        Self {
            requests_per_minute: NonZeroU32::new(600_000),
            failures_per_minute: NonZeroU32::new(300),
            most_buckets: 100_000,
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
            streams: StreamSettings::default(),
            max_diff_bytes: 10 << 20,
            max_projection_lag: 10_000,
            idempotency: IdempotencySettings::default(),
            rate: RateSettings::default(),
            origins: Arc::default(),
            connections: Bounds {
                connections: 4_096,
                head_timeout: Duration::from_secs(30),
                stall_timeout: Duration::from_secs(30),
                drain: Duration::from_secs(10),
            },
            pools: BTreeSet::new(),
            allow_local_repositories: false,
            keys: KeySettings::default(),
            webhooks: WebhookSettings::default(),
        }
    }
}
