//! Who does the work of an embedded stack.

use super::{DataDir, Options, Parts};
use bundles::Sharing;
use bus_local::FolderArtifacts;
use executor::{
    Shell, Worker, Workshop,
    agent::{Agent, ClaudeAgent, ClaudeSettings, ScriptedAgent},
};
use ports::OutputLog;
use scripted_model::{Engine, Script};
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};
use supervisor::Supervisor;
use workspace::{Repositories, Workspaces};

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

/// Makes the worker. Workspaces that an earlier process left are removed first.
pub(super) async fn worker(
    options: &Options,
    data_dir: &DataDir,
    parts: &Parts,
    output: Arc<dyn OutputLog>,
    repositories: Arc<Repositories>,
) -> anyhow::Result<Arc<dyn Worker>> {
    let workspaces = Workspaces::new(data_dir.workspaces(), options.config.harvest).await?;
    workspaces.remove_all().await?;
    let shell = Shell {
        supervisor: Supervisor::this_binary()?,
        environment: crate::settings::command_environment(),
        grace: GRACE,
    };
    let agent: Arc<dyn Agent> = match &options.executor {
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
        sharing: Sharing::OneDisk,
        workspaces,
        artifacts: Arc::new(FolderArtifacts::new(data_dir.artifacts())),
        output,
        clock: Arc::clone(&parts.clock),
        agent,
        shell,
        plan_bounds: options.config.api.plan_bounds.clone(),
        scratch: data_dir.scratch(),
    }))
}
