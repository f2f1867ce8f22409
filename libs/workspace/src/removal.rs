//! Removing what an agent left, however it left it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// So long is tried again to remove what somebody still writes to; checking out a large tree takes seconds.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Removes whatever is at `path`, without ever following a symbolic link. Nothing there is fine.
///
/// Directories that their owner made read-only are made writable first.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.is_dir() => fs::remove_file(path),
        Ok(_) => match remove_directory(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                unlock(path)?;
                remove_directory(path)
            }
            result => result,
        },
    }
}

/// A process that outlived its parent, and is about to be killed or to end, may still write there: then it is tried
/// again for a while.
///
/// The standard library descends by directory handles, so a swapped link does not lead it astray.
fn remove_directory(path: &Path) -> io::Result<()> {
    let began = Instant::now();
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && began.elapsed() < PATIENCE => {
                thread::sleep(PAUSE);
            }
            result => return result,
        }
    }
}

/// Removes everything in `directory`, keeping the directory. Returns the first failure, after trying all.
pub(crate) fn empty(directory: &Path) -> io::Result<()> {
    let mut result = Ok(());
    for entry in fs::read_dir(directory)? {
        let removed = entry.and_then(|entry| remove(&entry.path()));
        result = result.and(removed);
    }
    result
}

/// Gives the owner all rights on every directory beneath and including `directory`.
fn unlock(directory: &Path) -> io::Result<()> {
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            // Of the entry itself: a link to a directory is no directory.
            if entry.file_type()?.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_still_writes_to_is_removed_once_they_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workspace");
        fs::create_dir_all(path.join("a")).unwrap();
        let writer = thread::spawn({
            let path = path.clone();
            move || {
                let files = (0..).map_while(|n| fs::write(path.join("a").join(n.to_string()), "x").ok());
                files.take(50_000).count()
            }
        });
        // Something is there to be removed while it writes.
        while fs::read_dir(path.join("a")).unwrap().count() < 100 {}
        remove(&path).unwrap();
        writer.join().unwrap();
        assert!(!path.exists());
    }
}
