use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::GitError;
use crate::invocation::Invocation;

/// How many short git processes run at once; more would only compete for the same cores and disk.
const CONCURRENT_PROCESSES: usize = 16;

/// The git program, checked to be new enough.
#[derive(Debug, Clone)]
pub struct Git {
    pub(crate) program: PathBuf,
    pub(crate) search_path: OsString,
    pub(crate) permits: Arc<Semaphore>,
    version: Version,
}

impl Git {
    /// Finds git: `program` is a path, or a name to look up in `search_path`. The latter is also the
    /// `PATH` that git itself gets (it starts `ssh`); nothing else of our environment reaches it.
    pub async fn find(program: impl Into<PathBuf>, search_path: OsString) -> Result<Self, GitError> {
        let permits = Arc::new(Semaphore::new(CONCURRENT_PROCESSES));
        let mut git = Self { program: program.into(), search_path, permits, version: Version::MINIMUM };
        let said = git.run("version", Path::new("/dev/null")).stdout().await?;
        let found = Version::parse(&String::from_utf8_lossy(&said))
            .ok_or(GitError::Unexpected { command: "version", what: "a version number" })?;
        if found < Version::MINIMUM {
            return Err(GitError::TooOld { found });
        }
        git.version = found;
        Ok(git)
    }

    /// The version that was found.
    pub fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn run(&self, command: &'static str, git_dir: &Path) -> Invocation {
        Invocation::new(self.clone(), command, git_dir)
    }
}

/// A version of git; the patch level does not matter to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// `2` in 2.47.3.
    pub major: u32,
    /// `47` in 2.47.3.
    pub minor: u32,
}

impl Version {
    /// The first with `merge-tree --write-tree`.
    pub const MINIMUM: Self = Self { major: 2, minor: 38 };

    fn parse(said: &str) -> Option<Self> {
        let mut numbers = said.trim().strip_prefix("git version ")?.split(['.', ' ', '-']);
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_vendors_print_them() {
        for (said, major, minor) in [
            ("git version 2.47.3\n", 2, 47),
            ("git version 2.39.5 (Apple Git-154)", 2, 39),
            ("git version 2.38.rc1", 2, 38),
            ("git version 3.0.0-rc0", 3, 0),
        ] {
            assert_eq!(Version::parse(said), Some(Version { major, minor }), "{said}");
        }
        assert_eq!(Version::parse("hub version 2"), None);
        assert!(Version { major: 2, minor: 37 } < Version::MINIMUM);
    }
}
