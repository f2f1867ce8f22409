use super::Output;
use crate::bench::Measure;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Who does the work of a stack that this command starts.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Who does the work, where this command is the server")]
pub(crate) struct ExecutorArgs {
    /// The Claude CLI, or the built-in agent that follows a script
    #[arg(
        long,
        value_enum,
        value_name = "WHO",
        env = "BUILDWRIGHT_EXECUTOR",
        hide_env_values = true,
        default_value_t
    )]
    pub(crate) executor: ExecutorKind,
    /// The script of the scripted executor [default: the one of the demo]
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// The Claude CLI [default: on PATH, else where `demo` installs it]
    #[arg(long, value_name = "FILE", env = "BUILDWRIGHT_CLAUDE", hide_env_values = true)]
    pub(crate) claude: Option<PathBuf>,
    /// Most attempts at work at the same time, all builds together
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        env = "BUILDWRIGHT_SLOTS",
        hide_env_values = true,
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub(crate) slots: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ExecutorKind {
    /// The Claude CLI
    #[default]
    Claude,
    /// A script: no model, no cost
    Scripted,
}

/// Which web pages may use the API, and under which names it is looked for.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Web pages")]
pub(crate) struct PagesArgs {
    /// Pages from here may use the API, such as https://example.com; `*` for all pages there are. Several times
    #[arg(
        long = "cors-origin",
        value_name = "ORIGIN",
        env = "BUILDWRIGHT_CORS_ORIGINS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) cors_origins: Vec<api::Origin>,
    /// A name, beside localhost, under which the API may be asked for: what a proxy in front of it passes on as
    /// Host. Several times
    #[arg(
        long = "allowed-host",
        value_name = "NAME",
        env = "BUILDWRIGHT_ALLOWED_HOSTS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub(crate) allowed_hosts: Vec<String>,
}

impl PagesArgs {
    /// Adds them to those of the settings file.
    pub(crate) fn apply(self, api: &mut api::ApiSettings) {
        let origins = std::sync::Arc::make_mut(&mut api.origins);
        origins.cors_origins.extend(self.cors_origins);
        origins.allowed_hosts.extend(self.allowed_hosts);
    }
}

/// What secrets are sealed with.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SecretKeyArgs {
    /// A file with the key that secrets of webhooks are sealed with: the base64 of 32 random bytes, as
    /// `openssl rand -base64 32` makes it. Older keys may follow it, a line each. In place of it
    /// BUILDWRIGHT_SECRET_KEY can hold the keys
    #[arg(long, value_name = "FILE", env = "BUILDWRIGHT_SECRET_KEY_FILE", hide_env_values = true)]
    pub(crate) secret_key_file: Option<PathBuf>,
}

/// `up`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  buildwright up
  buildwright up --listen 127.0.0.1:9000 --data-dir ./data
  buildwright up --executor scripted                  try the API with no account
  buildwright keys create --name ops --scope admin && buildwright up --listen 0.0.0.0:8420

The credential is ANTHROPIC_API_KEY (with ANTHROPIC_BASE_URL, if set), else CLAUDE_CODE_OAUTH_TOKEN, else the
login of your own Claude CLI. Builds that an earlier server left are taken up again.")]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,
    /// Defaults and bounds, as TOML; config.example.toml lists them all
    #[arg(long, value_name = "FILE", env = "BUILDWRIGHT_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Let nobody in without an API key, on this machine either
    #[arg(
        long,
        env = "BUILDWRIGHT_REQUIRE_KEYS",
        hide_env_values = true,
        conflicts_with = "allow_unauthenticated"
    )]
    pub(crate) require_keys: bool,
    /// Listen beyond this machine without asking for API keys: whoever reaches the address can run programs
    /// on this one. For where a network policy or a proxy decides who does
    #[arg(long, env = "BUILDWRIGHT_ALLOW_UNAUTHENTICATED", hide_env_values = true)]
    pub(crate) allow_unauthenticated: bool,
    /// Let builds start from repositories on this machine's disk, whoever asks for them
    #[arg(long, env = "BUILDWRIGHT_ALLOW_LOCAL_REPOSITORIES", hide_env_values = true)]
    pub(crate) allow_local_repositories: bool,
    #[command(flatten)]
    pub(crate) pages: PagesArgs,
    #[command(flatten)]
    pub(crate) secret_key: SecretKeyArgs,
    /// Throw the read models (what lists are read from) away at the start, and fold them again from all events
    #[arg(long)]
    pub(crate) rebuild: bool,
}

/// `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
The real Claude CLI is run against a model that follows a script. If there is no CLI, the pinned version is
installed with npm; without npm, the built-in scripted executor stands in for it.")]
pub(crate) struct DemoArgs {
    /// Who does the work [default: the Claude CLI if it can be had]
    #[arg(long, value_enum, value_name = "WHO")]
    pub(crate) executor: Option<ExecutorKind>,
    /// The Claude CLI [default: on PATH, else where `demo` installs it]
    #[arg(long, value_name = "FILE", env = "BUILDWRIGHT_CLAUDE", hide_env_values = true)]
    pub(crate) claude: Option<PathBuf>,
    /// Put the files here; must be empty or not exist
    #[arg(long, short, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The Claude CLI [default: on PATH, else where `demo` installs it]
    #[arg(long, value_name = "FILE", env = "BUILDWRIGHT_CLAUDE", hide_env_values = true)]
    pub(crate) claude: Option<PathBuf>,
    /// For whom the findings are
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// `bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything is real but the work: HTTP, SQLite on the disk of --dir, driver, projector, queue. Takes minutes.

With --database-url and --nats-url a fleet is measured: databases are made on that server and removed, and what
is in the streams of that NATS is removed. Use servers that nobody else uses; a NATS server that has streams of
Buildwright already is refused.")]
pub(crate) struct BenchArgs {
    /// The figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the measured data directories are made, and removed [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Measure a fleet over this PostgreSQL server; the user may create databases
    #[arg(long, value_name = "URL", requires = "nats_url")]
    pub(crate) database_url: Option<String>,
    /// ... and this NATS server, with JetStream and nothing in it
    #[arg(long, value_name = "URL", requires = "database_url")]
    pub(crate) nats_url: Option<String>,
    /// So many ended builds lie in the store before anything is measured
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) stored_builds: usize,
    /// Measure only this; can be given several times [default: everything]
    #[arg(long, value_enum, value_name = "MEASURE")]
    pub(crate) only: Vec<Measure>,
}

/// `scripted-model`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  buildwright scripted-model --script script.json --listen 127.0.0.1:8421
  ANTHROPIC_BASE_URL=http://127.0.0.1:8421 ANTHROPIC_API_KEY=any claude -p 'say hello to Ann'

GET /usage tells what was reported as used, GET /requests what was asked last.")]
pub(crate) struct ScriptedModelArgs {
    /// The script [default: the one of the demo]
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
}
