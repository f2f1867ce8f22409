//! Real git, as a person would use it.

use std::{path::Path, process::Command};

/// Runs git in a repository and returns what it wrote.
///
/// # Panics
/// When it fails.
pub fn git(repository: &Path, args: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(repository).args(args).output().expect("git starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?} in {}: {said}", repository.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
