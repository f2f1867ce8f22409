//! What Cargo and git say of this repository.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// Why the repository could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program could not be started.
    #[error("could not start {program}")]
    Start {
        /// Which one.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The program ran and failed.
    #[error("{program} failed: {message}")]
    Failed {
        /// Which one.
        program: &'static str,
        /// What it wrote to standard error.
        message: String,
    },
    /// Cargo's answer was not what its documentation promises.
    #[error("could not read the answer of cargo metadata")]
    Metadata(#[from] serde_json::Error),
}

/// A crate of the workspace.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// As in its manifest.
    pub name: String,
    /// Where its manifest is.
    pub manifest_path: PathBuf,
    /// What it declares, for every target and feature.
    pub dependencies: Vec<Dependency>,
}

/// A dependency as a manifest declares it.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// The package's name, whatever the crate is called in code.
    pub name: String,
    /// What it is for.
    #[serde(deserialize_with = "kind")]
    pub kind: DependencyKind,
    /// Its directory, when it is given by path.
    pub path: Option<PathBuf>,
}

impl Dependency {
    /// Whether it is a crate of this workspace. No other is given by path.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.path.is_some()
    }
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum DependencyKind {
    /// The crate itself.
    #[serde(rename = "normal")]
    Normal,
    /// Its tests, examples and benchmarks.
    #[serde(rename = "dev")]
    Development,
    /// Its build script.
    #[serde(rename = "build")]
    Build,
}

/// `cargo metadata` writes null for a normal dependency.
fn kind<'de, D: serde::Deserializer<'de>>(input: D) -> Result<DependencyKind, D::Error> {
    let kind = Option::<DependencyKind>::deserialize(input)?;
    Ok(kind.unwrap_or(DependencyKind::Normal))
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    // tools/architecture is two below.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2).take(1).collect()
}

/// Every crate of the workspace.
///
/// # Errors
/// When Cargo can't be run, or can't make sense of the manifests.
pub fn packages() -> Result<Vec<Package>, Error> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let answer = output(
        "cargo metadata",
        Command::new(env!("CARGO")).args(["metadata", "--format-version=1", "--no-deps", "--offline"]),
    )?;
    Ok(serde_json::from_slice::<Metadata>(&answer)?.packages)
}

/// Every file that git tracks, or would at the next `git add`, relative to [`root`].
///
/// # Errors
/// When git can't be run, or this isn't a clone.
pub fn tracked_files() -> Result<Vec<PathBuf>, Error> {
    let answer = output(
        "git ls-files",
        Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]),
    )?;
    Ok(String::from_utf8_lossy(&answer).split_terminator('\0').map(PathBuf::from).collect())
}

fn output(program: &'static str, command: &mut Command) -> Result<Vec<u8>, Error> {
    let output = command.current_dir(root()).output().map_err(|source| Error::Start { program, source })?;
    if !output.status.success() {
        return Err(Error::Failed { program, message: String::from_utf8_lossy(&output.stderr).into_owned() });
    }
    Ok(output.stdout)
}
