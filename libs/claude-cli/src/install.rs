//! Finding the CLI, and installing the version we know.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// The version whose behaviour this crate was written against.
pub const PINNED_VERSION: &str = "2.1.197";

const PACKAGE: &str = "@anthropic-ai/claude-code";

/// It answers `--version` in 0.1 s; a slow disk may need some more for its 245 MB.
const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// Long enough for 80 MB over a slow line.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Why there is no CLI to use.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A program could not be run.
    #[error("cannot run {}: {source}", program.display())]
    Run {
        /// That program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program took too long.
    #[error("{} did not finish within {} s", program.display(), limit.as_secs())]
    Slow {
        /// That program.
        program: PathBuf,
        /// How long it had.
        limit: Duration,
    },
    /// A program failed.
    #[error("{} failed: {stderr}", program.display())]
    Failed {
        /// That program.
        program: PathBuf,
        /// The end of what it complained.
        stderr: String,
    },
    /// What is there does not call itself the Claude CLI.
    #[error("{} says {said:?} instead of the version of Claude Code", binary.display())]
    NotClaude {
        /// What was asked.
        binary: PathBuf,
        /// What it said.
        said: String,
    },
    /// The directory cannot be used.
    #[error("cannot use {}: {source}", dir.display())]
    Directory {
        /// That directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Finds the CLI: the explicit path alone if there is one, else the first `claude` on `path` (the
/// value of `PATH`), else the one installed below `dir`.
#[must_use]
pub fn find(explicit: Option<&Path>, path: &OsStr, dir: &Path) -> Option<PathBuf> {
    if let Some(explicit) = explicit {
        return Some(explicit.to_owned()).filter(|binary| is_executable(binary));
    }
    let on_path = std::env::split_paths(path).filter(|dir| dir.is_absolute()).map(|dir| dir.join("claude"));
    on_path.chain([installed_in(dir)]).find(|binary| is_executable(binary))
}

fn installed_in(dir: &Path) -> PathBuf {
    dir.join("node_modules/.bin/claude")
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The version of a CLI, such as `2.1.197`.
///
/// # Errors
/// When it does not run, or answers like another program.
pub async fn version(binary: &Path) -> Result<String, InstallError> {
    let said = output(Command::new(binary).arg("--version"), binary, VERSION_TIMEOUT).await?;
    match said.trim().strip_suffix("(Claude Code)") {
        Some(version) => Ok(version.trim().to_owned()),
        None => Err(InstallError::NotClaude { binary: binary.to_owned(), said }),
    }
}

/// Installs [`PINNED_VERSION`] below `dir` with npm, unless it is there. Processes that do so at
/// the same time wait for one another.
///
/// # Errors
/// When `dir` cannot be written, npm fails, or what it installed does not run.
pub async fn install_pinned(dir: &Path, npm: &Path) -> Result<PathBuf, InstallError> {
    let unusable = |source| InstallError::Directory { dir: dir.to_owned(), source };
    let _lock = lock(dir.to_owned()).await.map_err(unusable)?;
    let binary = installed_in(dir);
    if is_executable(&binary) && version(&binary).await.is_ok_and(|version| version == PINNED_VERSION) {
        return Ok(binary);
    }
    let mut command = Command::new(npm);
    command.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", "."]);
    command.arg(format!("{PACKAGE}@{PINNED_VERSION}")).current_dir(dir);
    output(&mut command, npm, INSTALL_TIMEOUT).await?;
    version(&binary).await?;
    Ok(binary)
}

/// Freed by the system when the file is closed, even if we are killed.
async fn lock(dir: PathBuf) -> io::Result<File> {
    let locking = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&dir)?;
        let file = File::create(dir.join(".install.lock"))?;
        file.lock()?;
        Ok(file)
    });
    locking.await.map_err(io::Error::other)?
}

async fn output(command: &mut Command, program: &Path, limit: Duration) -> Result<String, InstallError> {
    let program = program.to_owned();
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match timeout(limit, running).await {
        Err(_) => return Err(InstallError::Slow { program, limit }),
        Ok(Err(source)) => return Err(InstallError::Run { program, source }),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = complaint.trim().lines().rev().take(10).collect();
    let stderr = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(InstallError::Failed { program, stderr })
}
