//! The settings file: every default and bound, by name.
//!
//! What it leaves out keeps its default; what it misspells is refused. `config.example.toml` in the root of the
//! repository lists everything, and a test holds it against this file.

mod api;
mod builds;
mod deliveries;
mod fleet;
mod span;

use ::api::ApiSettings;
use anyhow::Context as _;
use bus_local::OutputBounds;
use bus_nats::{NatsOptions, RosterBounds};
use serde::Deserialize;
use std::{num::NonZeroUsize, path::Path, time::Duration};
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
        builds::check(&config.api).map_err(serde::de::Error::custom)?;
        let deliveries = file.deliveries.apply(&mut config.courier);
        deliveries.map_err(|error| serde::de::Error::custom(format!("deliveries: the schedule {error}")))?;
        Ok(config)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    builds: builds::Builds,
    api: api::Api,
    streams: api::Streams,
    keys: api::Keys,
    webhooks: api::Webhooks,
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

fn set<T>(to: &mut T, given: Option<impl Into<T>>) {
    if let Some(value) = given {
        *to = value.into();
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
            include_str!("config/builds.rs"),
            include_str!("config/api.rs"),
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

    #[test]
    fn what_cannot_be_meant_is_refused_with_the_line_that_says_it() {
        for (setting, why) in [
            ("[deliveries]\npoll_milliseconds = 0", "must be at least 1"),
            ("[deliveries]\nat_once = 0", "expected a nonzero"),
            ("[streams]\nmax_readers = 0", "expected a nonzero"),
            ("[api]\nheartbeat_seconds = 9000000000000", "must not be more than a hundred years"),
            ("[builds]\nmax_cost_usd = 0.0", "must be more than 0"),
            ("[builds]\nmax_attempts = 0", "expected a nonzero"),
            ("[api]\npools = [\"Big\"]", "must be 1 to 32 of"),
        ] {
            let error = Config::parse(setting).unwrap_err().to_string();
            let line = setting.lines().last().unwrap();
            assert!(error.contains(why) && error.contains(line) && error.contains("line 2"), "{error}");
        }
        for (setting, why) in [
            ("task_timeout_seconds = 90000", "builds.task_timeout_seconds is 90000, which is more than"),
            ("most_attempts = 1", "builds.max_attempts is 2, which is more than builds.most_attempts, 1"),
            ("model = ' '", "builds.model is empty"),
        ] {
            let error = Config::parse(&format!("[builds]\n{setting}")).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert_eq!(Config::parse("[api]\nmax_wait_seconds = 0").unwrap().api.max_wait, Duration::ZERO);
    }
}
