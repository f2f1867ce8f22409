//! Who may use a repository, and who may clean up after the dead.
//!
//! Everybody who uses a repository holds a shared `flock` on a file beside it, and so does every git process
//! that writes refs: it gets the same open file as its standard input. Whoever can have the lock
//! exclusively therefore knows that nobody alive is at work, not even a git process that outlived a killed
//! parent, and that any lock file of git's in there is stale.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use names::RefName;

use crate::error::GitError;
use crate::removal;

/// A shared lock. It is held until every copy of the file is closed.
#[derive(Debug)]
pub(super) struct Shared(File);

impl Shared {
    /// Takes the lock. Whenever nobody else holds it, `alone` runs first, undisturbed.
    pub(super) fn take(
        path: &Path,
        exists: impl Fn() -> bool,
        alone: impl Fn() -> Result<(), GitError>,
    ) -> Result<Self, GitError> {
        let failed = || GitError::file("lock", path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(GitError::file("open", path))?;
        loop {
            if try_exclusive(&file).map_err(failed())? {
                alone()?;
            }
            file.lock_shared().map_err(failed())?;
            // Whoever was alone may have died before it made the repository.
            if exists() {
                return Ok(Self(file));
            }
            file.unlock().map_err(failed())?;
        }
    }

    /// Another handle on the same lock, for a git process to hold.
    pub(super) fn share(&self) -> std::io::Result<File> {
        self.0.try_clone()
    }
}

/// Tries for 50 ms: a process that is being started has our open files for an instant, before it closes
/// those that are not meant for it.
fn try_exclusive(file: &File) -> std::io::Result<bool> {
    for _ in 0..5 {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// Removes what killed git processes leave: lock files, objects and packs under temporary names, and what was fetched
/// for nobody.
///
/// Call it only while nobody uses the repository.
pub(super) fn clean(repository: &Path) -> Result<(), GitError> {
    let fetches = repository.join(RefName::FETCHES);
    removal::remove(&fetches).map_err(GitError::file("remove", &fetches))?;
    let mut pending = vec![repository.to_owned()];
    while let Some(directory) = pending.pop() {
        let failed = || GitError::file("read", &directory);
        for entry in fs::read_dir(&directory).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            if entry.file_type().map_err(failed())?.is_dir() {
                if name.starts_with(b"tmp_objdir-") {
                    removal::remove(&entry.path()).map_err(GitError::file("remove", &entry.path()))?;
                } else {
                    pending.push(entry.path());
                }
            } else if name.ends_with(b".lock") || name.starts_with(b"tmp_") || name.starts_with(b".tmp-") {
                removal::remove(&entry.path()).map_err(GitError::file("remove", &entry.path()))?;
                tracing::info!(path = %entry.path().display(), "removed what a killed git process left");
            }
        }
    }
    Ok(())
}
