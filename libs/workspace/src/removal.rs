//! Removing what an agent left, however it left it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Removes whatever is at `path`, without ever following a symbolic link. Nothing there is fine.
///
/// Directories that their owner made read-only are made writable first.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.is_dir() => fs::remove_file(path),
        // The standard library descends by directory handles, so a swapped link does not lead it astray.
        Ok(_) => match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                unlock(path)?;
                fs::remove_dir_all(path)
            }
            result => result,
        },
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
