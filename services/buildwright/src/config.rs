//! The settings file: every default and bound, by name.
//!
//! What it leaves out keeps its default; what it misspells is refused. `config.example.toml` in the root of the
//! repository lists everything, and a test holds it against this file.

mod deliveries;
mod fleet;

use anyhow::Context as _;
use api::{ApiSettings, KeySettings, Origin, StreamSettings, WebhookSettings};
use bus_local::OutputBounds;
use bus_nats::{NatsOptions, RosterBounds};
use serde::Deserialize;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::Path,
    sync::Arc,
    time::Duration,
};
use store_postgres::PostgresOptions;
use workspace::HarvestLimits;

/// How many builds are kept folded in memory.
const CACHED_BUILDS: usize = 2_048;
/// Every how many events of a build its state is stored beside them, so that a long build is soon loaded.
const SNAPSHOT_EVERY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(499);

macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name { $($field: Option<$type>,)+ }
    };
}

use section;

/// What can be set.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Of the API, and of builds that say nothing else.
    pub(crate) api: ApiSettings,
    /// Of what one attempt may change.
    pub(crate) harvest: HarvestLimits,
    /// Of the output that is kept.
    pub(crate) output: OutputBounds,
    /// Of the event store of a fleet.
    pub(crate) postgres: PostgresOptions,
    /// Of the bus of a fleet; where it is the command line says.
    pub(crate) nats: NatsOptions,
    /// Of the list of executors.
    pub(crate) roster: RosterBounds,
    /// How long a projector gathers what is new, for one write.
    pub(crate) gather: Duration,
    /// Of how work is given out.
    pub(crate) driver: driver::Settings,
    /// How long an attempt's order must be missing until the attempt is lost; three leases unless set.
    pub(crate) lost_after: Option<Duration>,
    /// Of how webhooks are delivered.
    pub(crate) courier: courier::Settings,
    /// Of executors.
    pub(crate) executor: executor::Settings,
    /// How many builds are kept folded in memory.
    pub(crate) cached_builds: usize,
    /// Every how many events a build's state is stored.
    pub(crate) snapshot_every: NonZeroUsize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api: ApiSettings::default(),
            harvest: HarvestLimits::default(),
            output: OutputBounds::default(),
            postgres: PostgresOptions::default(),
            nats: NatsOptions::new(""),
            roster: RosterBounds::default(),
            gather: Duration::from_millis(5),
            driver: driver::Settings::default(),
            lost_after: None,
            courier: courier::Settings::default(),
            executor: executor::Settings::default(),
            cached_builds: CACHED_BUILDS,
            snapshot_every: SNAPSHOT_EVERY,
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or says something that cannot be meant; the message names the line.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a valid settings file", path.display()))
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        let mut config = Self::default();
        file.builds.apply(&mut config.api);
        file.api.apply(&mut config.api);
        file.streams.apply(&mut config.api.streams);
        file.keys.apply(&mut config.api.keys);
        file.webhooks.apply(&mut config.api.webhooks);
        file.executor.apply(&mut config);
        file.postgres.apply(&mut config);
        file.nats.apply(&mut config);
        file.projector.apply(&mut config);
        file.driver.apply(&mut config).map_err(toml_error)?;
        let deliveries = file.deliveries.apply(&mut config.courier);
        deliveries.map_err(|error| serde::de::Error::custom(format!("deliveries: the schedule {error}")))?;
        Ok(config)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    builds: Builds,
    api: Api,
    streams: Streams,
    keys: Keys,
    webhooks: Webhooks,
    executor: fleet::Executor,
    postgres: fleet::Postgres,
    nats: fleet::Nats,
    projector: fleet::Projector,
    driver: fleet::Driver,
    deliveries: deliveries::Deliveries,
}

fn toml_error(error: names::FleetNameError) -> toml::de::Error {
    serde::de::Error::custom(format!("driver.weights: the name of a tenant {error}"))
}

section! {
    /// What a build gets that does not say otherwise, and the most it may ask for.
    Builds {
        model: String,
        task_timeout_seconds: u32,
        build_timeout_seconds: u32,
        max_cost_usd: f64,
        max_parallel: u32,
        max_attempts: u32,
        most_build_timeout_seconds: u32,
        most_task_timeout_seconds: u32,
        most_parallel: u32,
        most_attempts: u32,
        most_tasks: usize,
        most_dependencies: usize,
        most_targets: usize,
    }
}

section! {
    Api {
        allow_local_repositories: bool,
        max_prompt_chars: usize,
        max_body_bytes: usize,
        max_json_depth: usize,
        max_labels: usize,
        max_wait_seconds: u64,
        heartbeat_seconds: u64,
        max_diff_bytes: usize,
        idempotency_hours: u64,
        idempotency_lease_seconds: u64,
        requests_per_minute: u32,
        failures_per_minute: u32,
        max_connections: usize,
        head_timeout_seconds: u64,
        stall_timeout_seconds: u64,
        cors_origins: Vec<Origin>,
        allowed_hosts: Vec<String>,
    }
}

section! {
    /// Of streams that are followed.
    Streams {
        max_followers: usize,
        max_followers_per_tenant: usize,
        pong_timeout_seconds: u64,
        close_timeout_seconds: u64,
        check_keys_milliseconds: u64,
        max_readers: usize,
        recent_bytes: usize,
    }
}

section! {
    /// Of API keys.
    Keys {
        trusted_milliseconds: u64,
        remembered: NonZeroUsize,
        note_uses_seconds: u64,
        requests_per_minute: NonZeroU32,
        open_builds: NonZeroU32,
    }
}

section! {
    /// Of webhook endpoints.
    Webhooks {
        https_only: bool,
        allowed_networks: Vec<egress::IpNet>,
        max_endpoints: usize,
        max_description_chars: usize,
        max_projects: usize,
        max_headers: usize,
        default_concurrency: u32,
        max_concurrency: u32,
        max_rate_per_second: u32,
        default_timeout_seconds: u32,
        max_timeout_seconds: u32,
        rotation_grace_hours: u64,
        max_rotation_grace_hours: u64,
    }
}

fn set<T>(to: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *to = value;
    }
}

impl Builds {
    fn apply(self, api: &mut ApiSettings) {
        let limits = &mut api.default_limits;
        set(&mut limits.task_timeout_seconds, self.task_timeout_seconds);
        set(&mut limits.build_timeout_seconds, self.build_timeout_seconds);
        set(&mut limits.max_parallel, self.max_parallel);
        set(&mut limits.max_attempts, self.max_attempts);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates; nobody sets more"
        )]
        let nano = self.max_cost_usd.map(|usd| (usd * 1e9).round() as u64);
        limits.max_cost_nano_usd = nano.or(limits.max_cost_nano_usd);
        set(&mut api.default_model, self.model);
        set(&mut api.max_build_timeout_seconds, self.most_build_timeout_seconds);
        set(&mut api.plan_bounds.timeout_seconds, self.most_task_timeout_seconds);
        set(&mut api.max_parallel, self.most_parallel);
        set(&mut api.max_attempts, self.most_attempts);
        set(&mut api.plan_bounds.tasks, self.most_tasks);
        set(&mut api.plan_bounds.dependencies, self.most_dependencies);
        set(&mut api.plan_bounds.targets, self.most_targets);
    }
}

impl Api {
    fn apply(self, api: &mut ApiSettings) {
        set(&mut api.allow_local_repositories, self.allow_local_repositories);
        set(&mut api.max_prompt_chars, self.max_prompt_chars);
        set(&mut api.plan_bounds.text_chars, self.max_prompt_chars);
        set(&mut api.max_body_bytes, self.max_body_bytes);
        set(&mut api.max_json_depth, self.max_json_depth);
        set(&mut api.max_labels, self.max_labels);
        set(&mut api.max_wait, self.max_wait_seconds.map(Duration::from_secs));
        set(&mut api.heartbeat, self.heartbeat_seconds.map(Duration::from_secs));
        set(&mut api.max_diff_bytes, self.max_diff_bytes);
        set(&mut api.idempotency.keep, fleet::hours(self.idempotency_hours));
        set(&mut api.idempotency.lease, self.idempotency_lease_seconds.map(Duration::from_secs));
        set(&mut api.rate.requests_per_minute, self.requests_per_minute.map(NonZeroU32::new));
        set(&mut api.rate.failures_per_minute, self.failures_per_minute.map(NonZeroU32::new));
        set(&mut api.connections.connections, self.max_connections);
        set(&mut api.connections.head_timeout, self.head_timeout_seconds.map(Duration::from_secs));
        set(&mut api.connections.stall_timeout, self.stall_timeout_seconds.map(Duration::from_secs));
        let origins = Arc::make_mut(&mut api.origins);
        set(&mut origins.cors_origins, self.cors_origins);
        set(&mut origins.allowed_hosts, self.allowed_hosts);
    }
}

impl Streams {
    fn apply(self, streams: &mut StreamSettings) {
        set(&mut streams.max_followers, self.max_followers);
        set(&mut streams.max_followers_per_tenant, self.max_followers_per_tenant);
        set(&mut streams.pong_timeout, self.pong_timeout_seconds.map(Duration::from_secs));
        set(&mut streams.close_timeout, self.close_timeout_seconds.map(Duration::from_secs));
        set(&mut streams.check_keys_every, self.check_keys_milliseconds.map(Duration::from_millis));
        set(&mut streams.max_readers, self.max_readers);
        set(&mut streams.recent_bytes, self.recent_bytes);
    }
}

impl Keys {
    fn apply(self, keys: &mut KeySettings) {
        set(&mut keys.trusted, self.trusted_milliseconds.map(Duration::from_millis));
        set(&mut keys.remembered, self.remembered);
        set(&mut keys.note_uses_every, self.note_uses_seconds.map(Duration::from_secs));
        keys.limits.requests_per_minute = self.requests_per_minute.or(keys.limits.requests_per_minute);
        keys.limits.open_builds = self.open_builds.or(keys.limits.open_builds);
    }
}

impl Webhooks {
    fn apply(self, webhooks: &mut WebhookSettings) {
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
        set(&mut webhooks.rotation_grace, fleet::hours(self.rotation_grace_hours));
        set(&mut webhooks.max_rotation_grace, fleet::hours(self.max_rotation_grace_hours));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../config.example.toml");

    #[test]
    fn the_example_names_every_setting_with_its_default() {
        let uncommented: String =
            EXAMPLE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
        let config = Config::parse(&uncommented).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
        let source = concat!(
            include_str!("config.rs"),
            include_str!("config/fleet.rs"),
            include_str!("config/deliveries.rs")
        );
        let fields = source.lines().filter_map(|line| line.strip_prefix("        ")?.split_once(": "));
        let settings = fields.filter(|(name, kind)| kind.ends_with(',') && !name.contains(['(', ' ', '&']));
        let names: Vec<&str> = settings.map(|(name, _)| name).collect();
        assert!(names.len() > 20, "{names:?}");
        for name in names.into_iter().filter(|name| {
            !["max_cost_usd", "weights", "grace_seconds", "requests_per_minute", "open_builds"].contains(name)
        }) {
            assert!(uncommented.contains(&format!("\n{name} = ")), "{name} is not in config.example.toml");
        }
    }

    #[test]
    fn what_is_left_out_keeps_its_default_and_what_is_misspelt_is_named() {
        let config = Config::parse("[builds]\nmodel = \"haiku\"\nmax_cost_usd = 1.5\n").unwrap();
        assert_eq!(config.api.default_model, "haiku");
        assert_eq!(config.api.default_limits.max_cost_nano_usd, Some(1_500_000_000));
        assert_eq!(config.api.max_prompt_chars, ApiSettings::default().max_prompt_chars);
        let error = Config::parse("[builds]\nmodle = \"haiku\"\n").unwrap_err().to_string();
        assert!(error.contains("modle") && error.contains("line 2"), "{error}");
    }
}
