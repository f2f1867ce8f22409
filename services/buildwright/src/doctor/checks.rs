use super::Check;
use crate::{
    hiring::{INSTALL, LOG_IN, describe, find_claude},
    programs,
    render::amounts,
    settings,
};
use claude_cli::PINNED_VERSION;
use nix::sys::statvfs::statvfs;
use std::path::Path;

/// Below this builds are at risk: a checkout, its dependencies and their caches for each task.
const LOW_BYTES: u64 = 1 << 30;
/// Below this the event store itself is.
const FULL_BYTES: u64 = 100 << 20;
const NPM_FIX: &str =
    "install Node.js 18 or later (https://nodejs.org), then: npm install -g @anthropic-ai/claude-code";

/// The CLI, and without it what could install it.
pub(super) async fn claude(named: Option<&Path>, data_dir: &Path) -> Vec<Check> {
    let Some(binary) = find_claude(named, data_dir) else {
        let found = match named {
            Some(named) => format!("{} is no program", named.display()),
            None => "not on PATH, nor installed by us".to_owned(),
        };
        return match programs::find("npm") {
            Some(npm) => {
                vec![Check::missing("claude", found, INSTALL), Check::ok("npm", npm.display().to_string())]
            }
            None => vec![Check::missing("claude", found, NPM_FIX)],
        };
    };
    vec![match claude_cli::version(&binary).await {
        Ok(version) if version == PINNED_VERSION => {
            Check::ok("claude", format!("{version} at {}", binary.display()))
        }
        Ok(version) => {
            let found = format!("{version} at {}; tested with {PINNED_VERSION}", binary.display());
            Check::note("claude", found)
                .fixed_by(format!("{INSTALL}@{PINNED_VERSION}   (if something is odd)"))
        }
        Err(error) => Check::missing("claude", error.to_string(), format!("{INSTALL}@{PINNED_VERSION}")),
    }]
}

/// The credential. Whether it is valid only a paid request could tell.
pub(super) fn credential() -> Check {
    match settings::credential() {
        Some(credential) => Check::ok("credential", describe(&credential)),
        None => Check::missing("credential", "no API key, no token and no login", LOG_IN),
    }
}

/// git.
pub(super) async fn git() -> Check {
    const FIX: &str = "install git 2.38 or later: https://git-scm.com/downloads";
    match programs::git_version().await {
        Some(version) if programs::at_least(&version, 2, 38) => Check::ok("git", version),
        Some(version) => Check::missing("git", format!("{version} is too old"), FIX),
        None => Check::missing("git", "not on PATH", FIX),
    }
}

/// Whether the data directory can be written, without leaving anything there.
pub(super) fn data_dir(data_dir: &Path) -> Check {
    let name = "data directory";
    let existing = existing(data_dir);
    let shown = data_dir.display();
    if existing.is_file() {
        return Check::missing(
            name,
            format!("{} is a file", existing.display()),
            "choose another --data-dir",
        );
    }
    match tempfile::tempfile_in(existing) {
        Ok(_) if existing == data_dir => Check::ok(name, shown.to_string()),
        Ok(_) => Check::ok(name, format!("{shown}, to be made")),
        Err(error) => {
            let fix = format!("mkdir -p '{shown}' && chmod u+rwx '{shown}'   (or choose another --data-dir)");
            Check::missing(name, format!("{} cannot be written: {error}", existing.display()), fix)
        }
    }
}

/// The room that is left for it.
pub(super) fn disk(data_dir: &Path) -> Option<Check> {
    let found = statvfs(existing(data_dir)).ok()?;
    #[allow(clippy::useless_conversion, reason = "on some systems these are narrower")]
    let free = u64::from(found.blocks_available()).saturating_mul(u64::from(found.fragment_size()));
    Some(room(free, data_dir))
}

fn room(free: u64, data_dir: &Path) -> Check {
    let found = format!("{} free", amounts::bytes(free));
    let fix = format!("free some space, or choose another --data-dir than {}", data_dir.display());
    match free {
        0..FULL_BYTES => Check::missing("disk", found, fix),
        FULL_BYTES..LOW_BYTES => Check::note("disk", found).fixed_by(fix),
        _ => Check::ok("disk", found),
    }
}

/// What could keep agents in bounds.
pub(super) fn sandbox() -> Check {
    Check::note("sandbox", programs::sandbox())
}

/// The path, or what there is of it.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_data_directory_that_can_be_made_is_fine_and_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path().join("a/b");
        assert_eq!(data_dir(&wanted).status, Status::Ok);
        assert!(!folder.path().join("a").exists());
    }

    #[test]
    fn a_file_in_the_place_of_the_data_directory_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        std::fs::write(&file, "").unwrap();
        assert_eq!(data_dir(&file.join("data")).status, Status::Missing);
    }

    #[test]
    fn a_full_disk_is_told() {
        let status = |free| room(free, Path::new("/d")).status;
        assert_eq!(
            [status(0), status(500 << 20), status(2 << 30)],
            [Status::Missing, Status::Note, Status::Ok]
        );
    }

    #[tokio::test]
    async fn a_cli_that_is_not_there_comes_with_the_command_that_installs_it() {
        let checks = claude(Some(Path::new("/does/not/exist")), Path::new("/tmp")).await;
        assert_eq!(checks[0].status, Status::Missing);
        assert!(checks[0].fix.as_ref().unwrap().contains("npm install -g @anthropic-ai/claude-code"));
    }
}
