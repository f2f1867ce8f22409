use nix::unistd::{Gid, Uid, User, chown};
use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The oldest version that the product supports.
const OLDEST: u32 = 15;

/// Where PostgreSQL's programs are, and who runs them.
#[derive(Debug, Clone)]
pub struct Installation {
    programs: PathBuf,
    /// PostgreSQL refuses to run as root, so root hands it to somebody else.
    user: Option<(Uid, Gid)>,
}

impl Installation {
    /// Looks in the folder that `BUILDWRIGHT_TEST_POSTGRES` names, or else on `PATH`, or else where Debian puts
    /// its packages.
    ///
    /// # Errors
    /// What to do about it if there is none.
    pub fn find() -> Result<Self, String> {
        let programs = named()
            .into_iter()
            .chain(on_path())
            .chain(packaged())
            .find(|folder| version(folder).is_some_and(|version| version >= OLDEST))
            .ok_or_else(|| {
                format!(
                    "these tests run a real PostgreSQL {OLDEST} or later: run scripts/fetch-postgres, or name \
                     the folder of its programs in BUILDWRIGHT_TEST_POSTGRES"
                )
            })?;
        Ok(Self { programs, user: somebody_but_root()? })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// A program, to be run by whoever may run the server, with nothing of our environment.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        self.run_as_somebody(command.env_clear().env("LC_ALL", "C").current_dir("/"));
        command
    }

    pub(super) fn run_as_somebody(&self, command: &mut Command) {
        if let Some((user, group)) = self.user {
            command.uid(user.as_raw()).gid(group.as_raw());
        }
    }

    /// Makes a folder the server's.
    pub(super) fn give(&self, folder: &Path) {
        if let Some((user, group)) = self.user {
            chown(folder, Some(user), Some(group)).expect("root may");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "where tests are told what this machine has")]
fn named() -> Option<PathBuf> {
    std::env::var_os("BUILDWRIGHT_TEST_POSTGRES").map(PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "where tests are told what this machine has")]
fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A link leads to where the other programs are.
    let found = std::env::split_paths(&path).filter_map(|folder| folder.join("initdb").canonicalize().ok());
    found.filter_map(|program| program.parent().map(Path::to_owned)).collect()
}

/// Debian's, the newest first.
fn packaged() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    folders
}

/// The major version of a folder that has the server and what these tests drive it with.
fn version(folder: &Path) -> Option<u32> {
    if !["initdb", "psql", "pg_isready"].iter().all(|program| folder.join(program).exists()) {
        return None;
    }
    let told = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    // `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
    let told = String::from_utf8_lossy(&told.stdout);
    told.split(' ').nth(2)?.split('.').next()?.trim().parse().ok()
}

fn somebody_but_root() -> Result<Option<(Uid, Gid)>, String> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
    let user =
        user.ok_or("PostgreSQL refuses to run as root, and there is neither `postgres` nor `nobody`")?;
    Ok(Some((user.uid, user.gid)))
}
