//! Settings of the HTTP edge.

use super::{
    set,
    span::{Hours, HoursOrNone, Milliseconds, MillisecondsOrNone, Seconds, SecondsOrNone},
};
use ::api::{ApiSettings, KeySettings, Origin, StreamSettings, WebhookSettings};
use names::PoolName;
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

super::section! {
    Api {
        allow_local_repositories: bool,
        max_prompt_chars: NonZeroUsize,
        max_body_bytes: NonZeroUsize,
        max_json_depth: NonZeroUsize,
        max_labels: usize,
        pools: BTreeSet<PoolName>,
        max_wait_seconds: SecondsOrNone,
        body_timeout_seconds: Seconds,
        answer_timeout_seconds: Seconds,
        retry_after_seconds: Seconds,
        read_your_writes_seconds: SecondsOrNone,
        ready_patience_seconds: Seconds,
        max_projection_lag: u64,
        heartbeat_seconds: Seconds,
        max_diff_bytes: usize,
        idempotency_hours: Hours,
        idempotency_lease_seconds: Seconds,
        idempotency_prune_seconds: Seconds,
        idempotency_answer_bytes: usize,
        requests_per_minute: u32,
        failures_per_minute: u32,
        max_counted: NonZeroUsize,
        max_connections: NonZeroUsize,
        head_timeout_seconds: Seconds,
        stall_timeout_seconds: Seconds,
        drain_seconds: SecondsOrNone,
        cors_origins: Vec<Origin>,
        allowed_hosts: Vec<String>,
    }
}

super::section! {
    /// Of streams that are followed.
    Streams {
        max_followers: usize,
        max_followers_per_tenant: usize,
        pong_timeout_seconds: Seconds,
        close_timeout_seconds: Seconds,
        check_keys_milliseconds: Milliseconds,
        max_readers: NonZeroUsize,
        recent_bytes: usize,
    }
}

super::section! {
    /// Of API keys.
    Keys {
        trusted_milliseconds: MillisecondsOrNone,
        remembered: NonZeroUsize,
        note_uses_seconds: Seconds,
        requests_per_minute: NonZeroU32,
        open_builds: NonZeroU32,
    }
}

super::section! {
    /// Of webhook endpoints.
    Webhooks {
        https_only: bool,
        allowed_networks: Vec<egress::IpNet>,
        max_endpoints: usize,
        max_description_chars: usize,
        max_projects: usize,
        max_headers: usize,
        default_concurrency: NonZeroU32,
        max_concurrency: NonZeroU32,
        max_rate_per_second: NonZeroU32,
        default_timeout_seconds: NonZeroU32,
        max_timeout_seconds: NonZeroU32,
        rotation_grace_hours: HoursOrNone,
        max_rotation_grace_hours: HoursOrNone,
    }
}

impl Api {
    pub(super) fn apply(self, api: &mut ApiSettings) {
        set(&mut api.allow_local_repositories, self.allow_local_repositories);
        set(&mut api.max_prompt_chars, self.max_prompt_chars);
        set(&mut api.plan_bounds.text_chars, self.max_prompt_chars);
        set(&mut api.max_body_bytes, self.max_body_bytes);
        set(&mut api.max_json_depth, self.max_json_depth);
        set(&mut api.max_labels, self.max_labels);
        set(&mut api.pools, self.pools);
        set(&mut api.max_wait, self.max_wait_seconds);
        set(&mut api.body_timeout, self.body_timeout_seconds);
        set(&mut api.answer_timeout, self.answer_timeout_seconds);
        set(&mut api.retry_after, self.retry_after_seconds);
        set(&mut api.read_your_writes, self.read_your_writes_seconds);
        set(&mut api.ready_patience, self.ready_patience_seconds);
        set(&mut api.max_projection_lag, self.max_projection_lag);
        set(&mut api.heartbeat, self.heartbeat_seconds);
        set(&mut api.max_diff_bytes, self.max_diff_bytes);
        set(&mut api.idempotency.keep, self.idempotency_hours);
        set(&mut api.idempotency.lease, self.idempotency_lease_seconds);
        set(&mut api.idempotency.prune_every, self.idempotency_prune_seconds);
        set(&mut api.idempotency.max_answer_bytes, self.idempotency_answer_bytes);
        set(&mut api.rate.requests_per_minute, self.requests_per_minute.map(NonZeroU32::new));
        set(&mut api.rate.failures_per_minute, self.failures_per_minute.map(NonZeroU32::new));
        set(&mut api.rate.most_buckets, self.max_counted);
        set(&mut api.connections.connections, self.max_connections);
        set(&mut api.connections.head_timeout, self.head_timeout_seconds);
        set(&mut api.connections.stall_timeout, self.stall_timeout_seconds);
        set(&mut api.connections.drain, self.drain_seconds);
        let origins = Arc::make_mut(&mut api.origins);
        set(&mut origins.cors_origins, self.cors_origins);
        set(&mut origins.allowed_hosts, self.allowed_hosts);
    }
}

impl Streams {
    pub(super) fn apply(self, streams: &mut StreamSettings) {
        set(&mut streams.max_followers, self.max_followers);
        set(&mut streams.max_followers_per_tenant, self.max_followers_per_tenant);
        set(&mut streams.pong_timeout, self.pong_timeout_seconds);
        set(&mut streams.close_timeout, self.close_timeout_seconds);
        set(&mut streams.check_keys_every, self.check_keys_milliseconds);
        set(&mut streams.max_readers, self.max_readers);
        set(&mut streams.recent_bytes, self.recent_bytes);
    }
}

impl Keys {
    pub(super) fn apply(self, keys: &mut KeySettings) {
        set(&mut keys.trusted, self.trusted_milliseconds);
        set(&mut keys.remembered, self.remembered);
        set(&mut keys.note_uses_every, self.note_uses_seconds);
        keys.limits.requests_per_minute = self.requests_per_minute.or(keys.limits.requests_per_minute);
        keys.limits.open_builds = self.open_builds.or(keys.limits.open_builds);
    }
}

impl Webhooks {
    pub(super) fn apply(self, webhooks: &mut WebhookSettings) {
        let targets = &mut webhooks.targets;
        set(&mut targets.addresses, self.allowed_networks.map(egress::AddressPolicy::public_and));
        if let Some(https_only) = self.https_only {
            targets.schemes =
                if https_only { egress::Schemes::HttpsOnly } else { egress::Schemes::HttpAndHttps };
        }
        set(&mut webhooks.max_endpoints, self.max_endpoints);
        set(&mut webhooks.max_description_chars, self.max_description_chars);
        set(&mut webhooks.max_projects, self.max_projects);
        set(&mut webhooks.headers.max_headers, self.max_headers);
        set(&mut webhooks.default_concurrency, self.default_concurrency);
        set(&mut webhooks.max_concurrency, self.max_concurrency);
        set(&mut webhooks.max_rate_per_second, self.max_rate_per_second);
        set(&mut webhooks.default_timeout_seconds, self.default_timeout_seconds);
        set(&mut webhooks.max_timeout_seconds, self.max_timeout_seconds);
        set(&mut webhooks.rotation_grace, self.rotation_grace_hours);
        set(&mut webhooks.max_rotation_grace, self.max_rotation_grace_hours);
    }
}
