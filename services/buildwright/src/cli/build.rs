use super::{ExecutorArgs, Output};
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  buildwright build \"a command line tool in Go that counts words\" --dir wordcount
  buildwright build --file PROMPT.md --max-parallel 3 --max-cost 2.50
  buildwright build --plan plan.json                       no planning: your own tasks
  buildwright build \"add a health check\" --repo https://git.example/team/app.git --branch main
  buildwright build \"fix the tests\" --repo . --output json | jq .result

A server that runs on the data directory takes the build; if there is none, this command is the server until
the build ends. Ctrl-C cancels the build and waits until nothing of it runs; a second one quits at once.
The result stays on a branch of <data-dir>/repositories/<project>.git, with or without --dir.";

/// `build`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "what", required = true, multiple = true, args = ["prompt", "file", "plan"])]
pub(crate) struct BuildArgs {
    /// What to build
    #[arg(conflicts_with = "file")]
    pub(crate) prompt: Option<String>,
    /// Read the prompt from a file; `-` is standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Carry out this plan (JSON: `tasks` and `dependencies`) instead of having one made
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// Put the files here when the build is completed; must be empty or not exist
    #[arg(long, short, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Let --dir hold files already; those of the same name are replaced
    #[arg(long, requires = "dir")]
    pub(crate) force: bool,
    /// The project whose repository receives the result [default: one of its own]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// Code to start from: https://…, ssh://… or a path on this machine
    #[arg(long, value_name = "URL|PATH", allow_hyphen_values = true)]
    pub(crate) repo: Option<String>,
    /// The branch to start from [default: the repository's own]
    #[arg(long, value_name = "NAME", requires = "repo", allow_hyphen_values = true)]
    pub(crate) branch: Option<String>,
    /// A hint for planning, such as `react` or `axum`
    #[arg(long, value_name = "NAME")]
    pub(crate) framework: Option<String>,
    /// The model, as the Claude CLI names it
    #[arg(long, short, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// A label of the build; repeat for more
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    /// Most tasks at work at the same time
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub(crate) max_parallel: Option<u32>,
    /// Seconds that one attempt at a task may take
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    pub(crate) task_timeout: Option<u32>,
    /// Seconds that the whole build may take
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    pub(crate) build_timeout: Option<u32>,
    /// Most US dollars to spend; looked at whenever an attempt ends
    #[arg(long, value_name = "USD", value_parser = dollars, help_heading = "Limits")]
    pub(crate) max_cost: Option<f64>,
    /// For whom the result is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,
}

/// `watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
If no server runs on the data directory, this command becomes one: a build that was interrupted goes on.
Ctrl-C stops watching; `buildwright cancel` stops the build.")]
pub(crate) struct WatchArgs {
    /// The build, bld_…
    pub(crate) id: String,
    /// For whom the result is
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be KEY=VALUE".to_owned()),
    }
}

/// JSON has neither infinity nor what is no number: they would be no limit.
fn dollars(text: &str) -> Result<f64, String> {
    let dollars = text.parse().ok().filter(|dollars: &f64| dollars.is_finite());
    dollars.ok_or_else(|| "must be an amount such as 2.50".to_owned())
}
