//! Who does the work.

use crate::{config::Config, data_dir::DataDir};
use anyhow::Context as _;
use bundles::Sharing;
use executor::{
    Shell, Worker, Workshop,
    agent::{Agent, ClaudeAgent, ClaudeSettings, ScriptedAgent},
};
use ports::{ArtifactStore, Clock, OutputLog};
use scripted_model::{Engine, Script};
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};
use supervisor::Supervisor;
use workspace::{Access, Git, Repositories, SourceRules, Workspaces};

/// From SIGINT to SIGKILL: the CLI needs about 0.2 s, with a command that ignores the signal 1.6 s; a
/// cancelled build must be gone within 2 s.
const GRACE: Duration = Duration::from_millis(1_200);

/// Who does the work.
#[derive(Clone)]
pub(crate) enum ExecutorChoice {
    /// The Claude CLI.
    Claude(ClaudeChoice),
    /// The built-in agent, following a script.
    Scripted(Arc<Script>),
    /// Something else entirely: for measuring.
    Worker(Arc<dyn Worker>),
}

/// Which CLI, and with which credential.
#[derive(Debug, Clone)]
pub(crate) struct ClaudeChoice {
    /// The program.
    pub(crate) binary: PathBuf,
    /// The credential.
    pub(crate) credential: claude_cli::Credential,
}

impl fmt::Debug for ExecutorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claude(_) => "Claude",
            Self::Scripted(_) => "Scripted",
            Self::Worker(_) => "Worker",
        })
    }
}

/// What a worker is made from.
pub(crate) struct Hands<'a> {
    /// Who does the work.
    pub(crate) choice: &'a ExecutorChoice,
    /// Defaults and bounds.
    pub(crate) config: &'a Config,
    /// Where it works.
    pub(crate) data_dir: &'a DataDir,
    /// Where results are left for others.
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    /// Where output goes.
    pub(crate) output: Arc<dyn OutputLog>,
    /// The time of day.
    pub(crate) clock: Arc<dyn Clock>,
    /// The projects' repositories on this machine.
    pub(crate) repositories: Arc<Repositories>,
    /// Who else works on the same projects.
    pub(crate) sharing: Sharing,
}

/// Makes the worker. Workspaces that an earlier process left are removed first.
pub(crate) async fn worker(hands: Hands<'_>) -> anyhow::Result<Arc<dyn Worker>> {
    let Hands { choice, config, data_dir, artifacts, output, clock, repositories, sharing } = hands;
    let workspaces = Workspaces::new(data_dir.workspaces(), config.harvest).await?;
    workspaces.remove_all().await?;
    let shell = Shell {
        supervisor: Supervisor::this_binary()?,
        environment: crate::settings::command_environment(),
        grace: GRACE,
    };
    let agent: Arc<dyn Agent> = match choice {
        ExecutorChoice::Worker(worker) => return Ok(Arc::clone(worker)),
        ExecutorChoice::Scripted(script) => Arc::new(ScriptedAgent {
            engine: Arc::new(Engine::new((**script).clone())),
            shell: shell.clone(),
        }),
        ExecutorChoice::Claude(claude) => Arc::new(ClaudeAgent::new(ClaudeSettings {
            binary: claude.binary.clone(),
            credential: claude.credential.clone(),
            supervisor: shell.supervisor.clone(),
            environment: shell.environment.clone(),
            grace: GRACE,
        })),
    };
    Ok(Arc::new(Workshop {
        repositories,
        sharing,
        workspaces,
        artifacts,
        output,
        clock,
        agent,
        shell,
        plan_bounds: config.api.plan_bounds.clone(),
        scratch: data_dir.scratch(),
    }))
}

/// The projects' repositories of this process.
pub(crate) async fn repositories(config: &Config, data_dir: &DataDir) -> anyhow::Result<Arc<Repositories>> {
    let git = Git::find("git", crate::settings::search_path()).await.context("git is needed")?;
    let local = if config.api.allow_local_repositories { Access::Allowed } else { Access::Refused };
    let environment = crate::settings::git_environment();
    let rules = SourceRules { local, environment, ..SourceRules::default() };
    Ok(Arc::new(Repositories::new(git, data_dir.repositories(), rules).await?))
}
