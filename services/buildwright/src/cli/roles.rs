use super::{ExecutorArgs, PagesArgs, SecretKeyArgs};
use crate::fleet::ArtifactsUrl;
use clap::Args;
use names::{ExecutorLabel, PoolName};
use std::{net::SocketAddr, path::PathBuf};

/// What every role of a fleet is told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The fleet; the same for all its processes")]
pub(crate) struct BusArgs {
    /// NATS with JetStream, 2.10 or later; several servers of one cluster with commas between them
    #[arg(
        long,
        value_name = "URL",
        env = "NATS_URL",
        hide_env_values = true,
        required = true,
        value_delimiter = ','
    )]
    pub(crate) nats_url: Vec<String>,
    /// A .creds file for NATS
    #[arg(long, value_name = "FILE", env = "BUILDWRIGHT_NATS_CREDENTIALS", hide_env_values = true)]
    pub(crate) nats_credentials: Option<PathBuf>,
    /// Copies that NATS keeps of everything, in a cluster: 1, 3 or 5
    #[arg(
        long,
        value_name = "N",
        env = "BUILDWRIGHT_NATS_REPLICAS",
        hide_env_values = true,
        default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..=5)
    )]
    pub(crate) nats_replicas: u8,
    /// After so many seconds without a sign of life an executor counts as dead, and its tasks run elsewhere
    #[arg(
        long,
        value_name = "SECONDS",
        env = "BUILDWRIGHT_ACK_WAIT_SECONDS",
        hide_env_values = true,
        default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) ack_wait_seconds: u16,
    /// Where results travel: `nats:`, `s3://bucket/prefix?endpoint=URL&region=NAME`, or `file:///folder` that all share
    #[arg(
        long,
        value_name = "URL",
        env = "BUILDWRIGHT_ARTIFACTS",
        hide_env_values = true,
        default_value = "nats:"
    )]
    pub(crate) artifacts: ArtifactsUrl,
    /// Where /healthz, /readyz and /metrics are answered [default: nowhere; `api` answers them with the API]
    #[arg(long, value_name = "ADDR:PORT", env = "BUILDWRIGHT_HEALTH", hide_env_values = true)]
    pub(crate) health: Option<SocketAddr>,
    /// Defaults and bounds, as TOML; config.example.toml lists them all
    #[arg(long, value_name = "FILE", env = "BUILDWRIGHT_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
}

/// What the roles are told that know the event store.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The fleet; the same for all its processes")]
pub(crate) struct FleetArgs {
    /// The event store: PostgreSQL 15 or later. Better in the environment: arguments are public
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: String,
    #[command(flatten)]
    pub(crate) bus: BusArgs,
}

/// `api`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  export DATABASE_URL=postgres://buildwright@localhost/buildwright NATS_URL=nats://localhost:4222
  buildwright api --data-dir ./api
  buildwright driver --data-dir ./driver
  buildwright projector --data-dir ./projector
  buildwright executor --data-dir ./executor-1 --slots 8

Any number of each may run. A fleet needs at least one of every role.")]
pub(crate) struct ApiArgs {
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    /// Let nobody in without an API key, on this machine either
    #[arg(
        long,
        env = "BUILDWRIGHT_REQUIRE_KEYS",
        hide_env_values = true,
        conflicts_with = "allow_unauthenticated"
    )]
    pub(crate) require_keys: bool,
    /// Listen beyond this machine without asking for API keys: whoever reaches the address can run programs
    /// on the executors. For where a network policy or a proxy decides who does
    #[arg(long, env = "BUILDWRIGHT_ALLOW_UNAUTHENTICATED", hide_env_values = true)]
    pub(crate) allow_unauthenticated: bool,
    /// Let builds start from repositories on the executors' disks, whoever asks for them
    #[arg(long, env = "BUILDWRIGHT_ALLOW_LOCAL_REPOSITORIES", hide_env_values = true)]
    pub(crate) allow_local_repositories: bool,
    #[command(flatten)]
    pub(crate) pages: PagesArgs,
    #[command(flatten)]
    pub(crate) secret_key: SecretKeyArgs,
}

/// `driver`.
#[derive(Debug, Args)]
pub(crate) struct DriverArgs {
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// `projector`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  buildwright projector --data-dir ./projector
  buildwright projector --data-dir ./projector-2 --rebuild    beside the others, while the fleet works

Read models hold nothing that is not in the events, so they can be thrown away at any time. Until they
are folded again, lists wait for them, and answer 503 when that takes long.")]
pub(crate) struct ProjectorArgs {
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) secret_key: SecretKeyArgs,
    /// Throw the read models away at the start, and fold them again from all events
    #[arg(long)]
    pub(crate) rebuild: bool,
}

/// `executor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  NATS_URL=nats://localhost:4222 buildwright executor --data-dir ./executor-1 --slots 8
  buildwright executor --nats-url nats://localhost:4222 --pool big --label gpu --label arm64

An executor runs what a model wrote: it is given neither the database nor an API key. SIGTERM lets what runs
finish, for --grace-seconds; what is left then is handed back and runs elsewhere. A second one stops at once.")]
pub(crate) struct ExecutorRoleArgs {
    #[command(flatten)]
    pub(crate) bus: BusArgs,
    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,
    /// Whose builds it carries out
    #[arg(
        long,
        value_name = "NAME",
        env = "BUILDWRIGHT_POOL",
        hide_env_values = true,
        default_value = "default"
    )]
    pub(crate) pool: PoolName,
    /// Something that it has and tasks may ask for; may be given several times
    #[arg(
        long = "label",
        value_name = "LABEL",
        env = "BUILDWRIGHT_LABELS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) labels: Vec<ExecutorLabel>,
    /// How long what runs may take to finish after SIGTERM
    #[arg(
        long,
        alias = "grace",
        value_name = "SECONDS",
        env = "BUILDWRIGHT_GRACE_SECONDS",
        hide_env_values = true,
        default_value_t = 60
    )]
    pub(crate) grace_seconds: u32,
    /// Let builds start from repositories on this machine's disk, whoever asks for them
    #[arg(long, env = "BUILDWRIGHT_ALLOW_LOCAL_REPOSITORIES", hide_env_values = true)]
    pub(crate) allow_local_repositories: bool,
}
