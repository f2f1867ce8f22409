//! What can be written on the command line, and the help that teaches it.

mod build;
mod keys;
mod look;
mod roles;
mod server;

pub(crate) use build::{BuildArgs, WatchArgs};
pub(crate) use keys::{CreateKeyArgs, KeysArgs, KeysCommand, ListKeysArgs, RevokeKeyArgs};
pub(crate) use look::{BuildsArgs, CancelArgs, LogsArgs, ShowArgs, What};
pub(crate) use roles::{ApiArgs, BusArgs, DriverArgs, ExecutorRoleArgs, FleetArgs, ProjectorArgs};
pub(crate) use server::{
    BenchArgs, DemoArgs, DoctorArgs, ExecutorArgs, ExecutorKind, PagesArgs, ScriptedModelArgs, SecretKeyArgs,
    UpArgs,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

const EXAMPLES: &str = "\
Examples:
  buildwright demo                                       see it work: no account, no cost
  buildwright doctor                                     what is missing, and what fixes it
  buildwright build \"a to-do list in plain HTML\" --dir todo
  buildwright up                                         a server; the API is documented at /docs

Exit codes:
  0    it went well; for `build` and `watch`: the build is completed
  1    it did not: the build failed or was cancelled, or something is missing
  2    the command line or the request is not valid
  3    the server does not answer
  130  stopped by a second Ctrl-C";

/// Runs Claude Code unattended: a prompt becomes a plan, the plan a graph of tasks, and every task a commit.
#[derive(Debug, Parser)]
#[command(name = "buildwright", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where `up` listens unless told otherwise.
pub(crate) const SERVER_PORT: u16 = 8420;
/// Where a scripted model listens unless told otherwise.
pub(crate) const SCRIPTED_MODEL_PORT: u16 = 8421;

/// Where things are; the same for all commands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where things are")]
pub(crate) struct Global {
    /// Where everything is kept [default: buildwright in $XDG_DATA_HOME or ~/.local/share]
    #[arg(long, global = true, value_name = "DIR", env = "BUILDWRIGHT_DATA_DIR", hide_env_values = true)]
    data_dir: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8420, for scripted-model 127.0.0.1:8421]
    #[arg(long, global = true, value_name = "ADDR:PORT", env = "BUILDWRIGHT_LISTEN", hide_env_values = true)]
    listen: Option<SocketAddr>,
    /// The server to talk to [default: the one that runs on the data directory, else one within this command]
    #[arg(long, global = true, value_name = "URL", env = "BUILDWRIGHT_SERVER", hide_env_values = true)]
    pub(crate) server: Option<String>,
    /// What is logged to standard error, such as `debug` or `info,executor=trace`
    #[arg(long, global = true, value_name = "FILTER", env = "BUILDWRIGHT_LOG", hide_env_values = true)]
    pub(crate) log: Option<String>,
}

impl Global {
    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(crate::settings::default_data_dir)
    }

    /// Where to listen: as told, else on this port of the machine itself.
    pub(crate) fn listen(&self, port: u16) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The data directory, if one was named.
    pub(crate) fn named_data_dir(&self) -> Option<PathBuf> {
        self.data_dir.clone()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a server: everything in one process
    Up(UpArgs),
    /// Of a fleet: answer HTTP
    Api(ApiArgs),
    /// Of a fleet: give out work and turn what comes of it into events
    Driver(DriverArgs),
    /// Of a fleet: keep the lists that are read, and tell events outside
    Projector(ProjectorArgs),
    /// Of a fleet: carry out work
    Executor(Box<ExecutorRoleArgs>),
    /// Build something from a prompt, and watch
    Build(Box<BuildArgs>),
    /// List builds, newest first
    Builds(BuildsArgs),
    /// Show a build: its result, tasks, plan, changes or events
    Show(ShowArgs),
    /// Follow a build until it ends
    Watch(WatchArgs),
    /// Cancel a build
    Cancel(CancelArgs),
    /// Show what Claude said and did for a task
    Logs(LogsArgs),
    /// Make, list and revoke API keys
    Keys(KeysArgs),
    /// Run a sample build with no account and no cost
    Demo(DemoArgs),
    /// Say what is missing, and the command that fixes it
    Doctor(DoctorArgs),
    /// Measure what the orchestration costs
    Bench(BenchArgs),
    /// Serve a model that follows a script, to test with
    ScriptedModel(ScriptedModelArgs),
    /// Print the OpenAPI description of the API
    Openapi,
}

impl Command {
    /// Whether it runs until it is stopped, watched by whoever reads its log.
    pub(crate) fn is_a_service(&self) -> bool {
        matches!(self, Self::Up(_) | Self::Api(_) | Self::Driver(_) | Self::Projector(_) | Self::Executor(_))
    }
}

/// For whom the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Text,
    /// One JSON document on standard output
    Json,
}

#[cfg(test)]
mod tests;
