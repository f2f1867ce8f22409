//! Who does the work: which Claude CLI with which credential, or the script.

use crate::{
    cli::{ExecutorArgs, ExecutorKind},
    hands::{ClaudeChoice, ExecutorChoice},
    settings,
};
use anyhow::{Context as _, bail};
use claude_cli::{Credential, PINNED_VERSION};
use scripted_model::Script;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// How to get a CLI.
pub(crate) const INSTALL: &str = "npm install -g @anthropic-ai/claude-code";
/// How to get a credential.
pub(crate) const LOG_IN: &str = "export ANTHROPIC_API_KEY=…   (or log in: run `claude` and type /login)";

/// An executor, and what to tell of it.
pub(crate) struct Hired {
    pub(crate) choice: ExecutorChoice,
    pub(crate) about: String,
}

/// Finds who was asked for.
///
/// # Errors
/// If there is no CLI or no credential, with what to do about it.
pub(crate) async fn hire(args: &ExecutorArgs, data_dir: &Path) -> anyhow::Result<Hired> {
    if args.executor == ExecutorKind::Scripted {
        let script = script(args.script.as_deref())?;
        let about = match &args.script {
            Some(path) => format!("the script {}", path.display()),
            None => "the built-in script: no model, no cost".to_owned(),
        };
        return Ok(Hired { choice: ExecutorChoice::Scripted(Arc::new(script)), about });
    }
    let Some(binary) = find_claude(args.claude.as_deref(), data_dir) else {
        let found = match &args.claude {
            Some(named) => format!("{} is no program", named.display()),
            None => "there is no Claude CLI on PATH".to_owned(),
        };
        bail!("{found}\n  install it:    {INSTALL}\n  or do without: --executor scripted");
    };
    let version = claude_cli::version(&binary).await.context("the Claude CLI does not work")?;
    let Some(credential) = settings::credential() else {
        bail!(
            "the Claude CLI has no credential\n  give it one:   {LOG_IN}\n  or do without: --executor scripted"
        );
    };
    let about = format!("claude {version} at {}, with {}", binary.display(), describe(&credential));
    Ok(Hired { choice: ExecutorChoice::Claude(ClaudeChoice { binary, credential }), about })
}

/// A script from a file, or the built-in one.
pub(crate) fn script(path: Option<&Path>) -> anyhow::Result<Script> {
    match path {
        Some(path) => Script::load(path).with_context(|| format!("{} is no script", path.display())),
        None => Ok(Script::default()),
    }
}

/// The Claude CLI: the one that was named, else the first on PATH, else one that we installed.
pub(crate) fn find_claude(named: Option<&Path>, data_dir: &Path) -> Option<PathBuf> {
    let path = settings::search_path();
    homes(data_dir).iter().find_map(|home| claude_cli::find(named, &path, home))
}

/// Where a CLI of ours is installed.
pub(crate) fn claude_home(data_dir: &Path) -> PathBuf {
    data_dir.join("tools").join(format!("claude-{PINNED_VERSION}"))
}

/// Where CLIs of ours may be: in the data directory, and in the usual one.
fn homes(data_dir: &Path) -> [PathBuf; 2] {
    [claude_home(data_dir), claude_home(&settings::default_data_dir())]
}

/// What a credential is, without saying it.
pub(crate) fn describe(credential: &Credential) -> String {
    // The host alone: some put secrets into URLs.
    let host = |url: &String| Some(reqwest::Url::parse(url).ok()?.host_str()?.to_owned());
    let at = |base: &Option<String>| {
        base.as_ref().and_then(host).map(|host| format!(" for {host}")).unwrap_or_default()
    };
    match credential {
        Credential::ApiKey { base_url, .. } => format!("an API key{}", at(base_url)),
        Credential::OAuthToken { base_url, .. } => format!("an account's token{}", at(base_url)),
        Credential::Login { config_dir } => format!("the login in {}", config_dir.display()),
    }
}
