//! Programs of this machine that we depend on.

use crate::settings;
use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tokio::process::Command;

/// The first program of that name on PATH.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&settings::search_path()).map(|folder| folder.join(name)).find(runs)
}

/// The version that git tells, such as `2.47.3`.
pub(crate) async fn git_version() -> Option<String> {
    let output = Command::new(find("git")?).arg("--version").kill_on_drop(true).output().await.ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(said.trim().strip_prefix("git version ")?.to_owned())
}

/// Whether a version is at least `major.minor`.
pub(crate) fn at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut numbers =
        version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

/// What could keep commands of agents in bounds. Agents run with the rights of the user as of now.
pub(crate) fn sandbox() -> String {
    let mut tools = Vec::new();
    tools.extend(find("bwrap").map(|path| format!("bubblewrap at {}", path.display())));
    let modules = std::fs::read_to_string(Path::new("/sys/kernel/security/lsm")).unwrap_or_default();
    tools.extend(modules.split(',').any(|name| name.trim() == "landlock").then(|| "Landlock".to_owned()));
    match tools.is_empty() {
        true => "none: agents run with your rights".to_owned(),
        false => format!("not used: agents run with your rights ({} available)", tools.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_numbers() {
        for (version, enough) in
            [("2.38.0", true), ("2.100", true), ("3.0", true), ("2.37.9", false), ("2.9", false), ("", false)]
        {
            assert_eq!(at_least(version, 2, 38), enough, "{version}");
        }
    }
}
