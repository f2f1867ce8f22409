use super::Output;
use clap::Args;

/// `builds`.
#[derive(Debug, Args)]
pub(crate) struct BuildsArgs {
    /// Only these states, separated by commas: queued, planning, executing, completed, failed, cancelled
    #[arg(long, short, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// Only this project
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// Most builds
    #[arg(long, short, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    /// For whom the list is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// `show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  buildwright show bld_…                  where it stands, what it made, what it cost
  buildwright show bld_… --events -o json | jq '.events[].type'
  buildwright show bld_… --diff | git apply")]
pub(crate) struct ShowArgs {
    /// The build, bld_…
    pub(crate) id: String,
    #[command(flatten)]
    what: WhatArgs,
    /// For whom it is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct WhatArgs {
    /// Its tasks
    #[arg(long)]
    tasks: bool,
    /// Its plan, as JSON that `build --plan` takes
    #[arg(long)]
    plan: bool,
    /// What it changed
    #[arg(long)]
    diff: bool,
    /// Everything that happened
    #[arg(long)]
    events: bool,
}

/// What of a build is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Summary,
    Tasks,
    Plan,
    Diff,
    Events,
}

impl ShowArgs {
    /// What is asked for.
    pub(crate) fn what(&self) -> What {
        match &self.what {
            WhatArgs { tasks: true, .. } => What::Tasks,
            WhatArgs { plan: true, .. } => What::Plan,
            WhatArgs { diff: true, .. } => What::Diff,
            WhatArgs { events: true, .. } => What::Events,
            _ => What::Summary,
        }
    }
}

/// `cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The build, bld_…
    pub(crate) id: String,
    /// Why, in your words
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// For whom the answer is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
}

/// `logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
`buildwright show ID --tasks` lists the ids of a build's tasks.")]
pub(crate) struct LogsArgs {
    /// The task, tsk_…; or a build, bld_…, for its planning
    pub(crate) task: String,
    /// Wait for more until the task ends
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Every line as it was written: for Claude, stream-json
    #[arg(long)]
    pub(crate) raw: bool,
}
