//! The agent's tools. Their failures are texts for the model, as with the CLI; they end nothing.

use super::{CommandRunner, ShellCommand};
use serde::Deserialize;
use serde_json::Value;
use std::{
    io,
    path::{Component, Path, PathBuf},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// What the model is told of a call that failed.
pub(super) struct Failure(pub(super) String);

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

const MAX_READ: u64 = 8 * 1024 * 1024;

#[derive(Deserialize)]
struct Write {
    file_path: PathBuf,
    content: String,
}

#[derive(Deserialize)]
struct Edit {
    file_path: PathBuf,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: bool,
}

#[derive(Deserialize)]
struct Read {
    file_path: PathBuf,
}

#[derive(Deserialize)]
struct Bash {
    command: String,
    /// Milliseconds.
    #[serde(default)]
    timeout: Option<u64>,
}

pub(super) async fn call(
    name: &str,
    input: &Value,
    cwd: &Path,
    runner: &dyn CommandRunner,
    cancel: &CancellationToken,
) -> Result<String, Failure> {
    match name {
        "Write" => write(parse(input)?, cwd).await,
        "Edit" => edit(parse(input)?, cwd).await,
        "Read" => {
            let Read { file_path } = parse(input)?;
            read(&inside(cwd, &file_path).await?).await
        }
        "Bash" => bash(parse(input)?, cwd, runner, cancel).await,
        other => Err(Failure(format!("No such tool available: {other}"))),
    }
}

fn parse<'de, T: Deserialize<'de>>(input: &'de Value) -> Result<T, Failure> {
    T::deserialize(input).map_err(|error| Failure(error.to_string()))
}

async fn write(Write { file_path, content }: Write, cwd: &Path) -> Result<String, Failure> {
    let path = inside(cwd, &file_path).await?;
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::write(&path, content).await?;
    Ok(format!("File written: {}", file_path.display()))
}

async fn edit(edit: Edit, cwd: &Path) -> Result<String, Failure> {
    let path = inside(cwd, &edit.file_path).await?;
    let before = read(&path).await?;
    let found = if edit.old_string.is_empty() { 0 } else { before.matches(&edit.old_string).count() };
    match found {
        0 => return Err(Failure("old_string was not found in the file".to_owned())),
        2.. if !edit.replace_all => return Err(Failure(format!("old_string was found {found} times"))),
        _ => {}
    }
    tokio::fs::write(&path, before.replace(&edit.old_string, &edit.new_string)).await?;
    Ok(format!("File edited: {}", edit.file_path.display()))
}

async fn read(path: &Path) -> Result<String, Failure> {
    let size = tokio::fs::metadata(path).await?.len();
    if size > MAX_READ {
        return Err(Failure(format!("the file has {size} bytes, at most {MAX_READ} are read")));
    }
    Ok(tokio::fs::read_to_string(path).await?)
}

async fn bash(
    bash: Bash,
    cwd: &Path,
    runner: &dyn CommandRunner,
    cancel: &CancellationToken,
) -> Result<String, Failure> {
    let timeout = bash.timeout.map(Duration::from_millis);
    let command = ShellCommand { text: bash.command, cwd: cwd.to_owned(), timeout };
    let done = runner.run(command, cancel).await?;
    if done.success { Ok(done.output) } else { Err(Failure(done.output)) }
}

/// The path, if it and everything it leads through lies in the folder. A `Bash` call could still swap a folder for
/// a link between this check and the use; only a sandbox keeps that in.
async fn inside(cwd: &Path, path: &Path) -> Result<PathBuf, Failure> {
    let refused = || Failure(format!("{} is outside of the workspace", path.display()));
    let wanted = cwd.join(path);
    if wanted.components().any(|part| part == Component::ParentDir) {
        return Err(refused());
    }
    let root = tokio::fs::canonicalize(cwd).await?;
    let mut existing = wanted.as_path();
    while tokio::fs::symlink_metadata(existing).await.is_err() {
        existing = existing.parent().ok_or_else(refused)?;
    }
    // A link to nothing fails here, and is refused with the same words: its end would be created by writing.
    let real = tokio::fs::canonicalize(existing).await.map_err(|_| refused())?;
    if real.starts_with(root) { Ok(wanted) } else { Err(refused()) }
}
