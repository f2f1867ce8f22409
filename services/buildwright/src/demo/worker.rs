//! Who works in the demo: the real CLI if it can be had, against a model that follows the script.

use crate::{
    cli::{DemoArgs, ExecutorKind},
    hands::{ClaudeChoice, ExecutorChoice},
    hiring::{INSTALL, claude_home, find_claude},
    programs,
};
use anyhow::{Context as _, bail};
use claude_cli::{Credential, PINNED_VERSION};
use scripted_model::{Handle, Script, ScriptedModel};
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Who works, and the model that answers them.
pub(super) struct Worker {
    pub(super) choice: ExecutorChoice,
    pub(super) about: String,
    model: Option<Handle>,
}

impl Worker {
    /// Stops the model.
    pub(super) async fn close(self) {
        if let Some(model) = self.model {
            let _ = model.shutdown().await;
        }
    }
}

/// Finds the CLI, or installs it into a data directory that lasts, unless the script was asked for. Without
/// one, says so and takes the script.
pub(super) async fn find(args: &DemoArgs, data_dir: &Path, lasting: &Path) -> anyhow::Result<Worker> {
    if args.executor == Some(ExecutorKind::Scripted) {
        return Ok(scripted("the built-in scripted executor".to_owned()));
    }
    match find_or_install(args.claude.as_deref(), data_dir, lasting).await {
        Ok((binary, version)) => claude(binary, &version).await,
        Err(error) if args.executor.is_none() && args.claude.is_none() => {
            Ok(scripted(format!("the built-in scripted executor, because there is no Claude CLI: {error:#}")))
        }
        Err(error) => Err(error),
    }
}

fn scripted(about: String) -> Worker {
    Worker { choice: ExecutorChoice::Scripted(Arc::default()), about, model: None }
}

async fn claude(binary: PathBuf, version: &str) -> anyhow::Result<Worker> {
    let model = ScriptedModel::start(Script::default(), (Ipv4Addr::LOCALHOST, 0))
        .await
        .context("the scripted model cannot listen")?;
    let about = format!("claude {version} at {}, against a model that follows a script", binary.display());
    // The scripted model takes any key.
    let credential = Credential::ApiKey { key: "demo".into(), base_url: Some(model.base_url().to_owned()) };
    let choice = ExecutorChoice::Claude(ClaudeChoice { binary, credential });
    Ok(Worker { choice, about, model: Some(model) })
}

async fn find_or_install(
    named: Option<&Path>,
    data_dir: &Path,
    lasting: &Path,
) -> anyhow::Result<(PathBuf, String)> {
    if let Some(binary) = find_claude(named, data_dir) {
        match claude_cli::version(&binary).await {
            Ok(version) => return Ok((binary, version)),
            Err(error) if named.is_some() => return Err(error.into()),
            Err(error) => eprintln!("{} does not work: {error}", binary.display()),
        }
    } else if let Some(named) = named {
        bail!("{} is no program", named.display());
    }
    let npm = programs::find("npm")
        .with_context(|| format!("it is not on PATH, and neither is npm, which installs it ({INSTALL})"))?;
    let home = claude_home(lasting);
    eprintln!("installing the Claude CLI {PINNED_VERSION} into {} (about 80 MB)", home.display());
    let binary = claude_cli::install_pinned(&home, &npm).await?;
    Ok((binary, PINNED_VERSION.to_owned()))
}
