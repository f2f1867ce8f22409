//! Unpacking what a build made. A model wrote it, so nothing in it may reach outside the folder it goes to.

use flate2::read::GzDecoder;
use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek as _},
    os::unix::fs::{OpenOptionsExt as _, symlink},
    path::{Component, Path, PathBuf},
};
use tar::{Archive, Entry, EntryType};

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// An entry that is to land somewhere else.
    #[error("the archive has an entry outside its folder: {0:?}; nothing was unpacked from there on")]
    Outside(PathBuf),
    /// A link to somewhere else.
    #[error("the archive has a link that leads outside its folder: {0:?}")]
    LinkOutside(PathBuf),
    /// A device, a pipe or something else that no repository holds.
    #[error("the archive has an entry that is no file, folder or link: {0:?}")]
    Kind(PathBuf),
    /// A link stands where a folder should be.
    #[error("{0} is a link, and nothing is written through it")]
    ThroughLink(PathBuf),
    /// The target is in use.
    #[error("{0} is not empty; --force puts the files there all the same")]
    NotEmpty(PathBuf),
    /// Reading or writing failed.
    #[error("cannot write {path}: {error}")]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The archive cannot be read.
    #[error("the archive is damaged: {0}")]
    Damaged(io::Error),
}

/// Whether files may be put there: it does not exist, is an empty folder, or is a folder and `force` is set.
pub(crate) fn check_target(target: &Path, force: bool) -> Result<(), UnpackError> {
    match fs::read_dir(target) {
        Ok(mut entries) => match force || entries.next().is_none() {
            true => Ok(()),
            false => Err(UnpackError::NotEmpty(target.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            can_be_made(target).map_err(|error| UnpackError::Write { path: target.to_owned(), error })
        }
        Err(error) => Err(UnpackError::Write { path: target.to_owned(), error }),
    }
}

/// Tries it in the nearest folder there is, and leaves nothing.
fn can_be_made(target: &Path) -> io::Result<()> {
    let above = target.ancestors().skip(1);
    let above = above.map(|folder| if folder == Path::new("") { Path::new(".") } else { folder });
    let nearest = above.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    tempfile::Builder::new().prefix(".buildwright-").tempdir_in(nearest).map(drop)
}

/// Unpacks a gzipped archive without its outermost folder. A target that was empty gets everything or nothing.
pub(crate) fn unpack(mut archive: File, target: &Path, force: bool) -> Result<(), UnpackError> {
    check_target(target, force)?;
    let write = |path: &Path, error| UnpackError::Write { path: path.to_owned(), error };
    fs::create_dir_all(target).map_err(|source| write(target, source))?;
    let target = target.canonicalize().map_err(|source| write(target, source))?;
    archive.rewind().map_err(UnpackError::Damaged)?;
    let empty = fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_none());
    let parent = target.parent().filter(|_| empty);
    // Where no folder can be made beside the target, it is filled where it stands.
    let Some(beside) =
        parent.and_then(|parent| tempfile::Builder::new().prefix(".buildwright-").tempdir_in(parent).ok())
    else {
        return unpack_into(archive, &target);
    };
    let unfinished = beside.path().join("files");
    fs::create_dir(&unfinished).map_err(|source| write(&unfinished, source))?;
    unpack_into(archive, &unfinished)?;
    // Onto an empty folder: the folder is replaced.
    fs::rename(&unfinished, &target).map_err(|source| write(&target, source))
}

fn unpack_into(archive: File, folder: &Path) -> Result<(), UnpackError> {
    let mut archive = Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().map_err(UnpackError::Damaged)? {
        unpack_entry(entry.map_err(UnpackError::Damaged)?, folder)?;
    }
    Ok(())
}

fn unpack_entry(mut entry: Entry<'_, impl Read>, folder: &Path) -> Result<(), UnpackError> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(()); // git's note of the commit
    }
    let name = entry.path().map_err(UnpackError::Damaged)?.into_owned();
    let inner = inner_path(&name)?;
    let Some(last) = inner.last() else { return Ok(()) };
    let path = inner.iter().fold(folder.to_owned(), |path, part| path.join(part));
    let write = |error| UnpackError::Write { path: path.clone(), error };
    make_folders(folder, &inner[..inner.len() - 1])?;
    match kind {
        EntryType::Directory => make_folders(folder, &inner),
        EntryType::Regular | EntryType::Continuous => {
            make_way(&path).map_err(write)?;
            let program = entry.header().mode().unwrap_or(0) & 0o111 != 0;
            let mode = if program { 0o777 } else { 0o666 };
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).map_err(write)?;
            io::copy(&mut entry, &mut file).map_err(write)?;
            Ok(())
        }
        EntryType::Symlink => {
            let goal = entry.link_name().map_err(UnpackError::Damaged)?.unwrap_or_default().into_owned();
            if !stays_inside(&goal, inner.len() - 1) {
                return Err(UnpackError::LinkOutside(name.join(last)));
            }
            make_way(&path).map_err(write)?;
            symlink(&goal, &path).map_err(write)
        }
        _ => Err(UnpackError::Kind(name)),
    }
}

/// The parts of an entry's path below the archive's outermost folder.
fn inner_path(name: &Path) -> Result<Vec<&OsStr>, UnpackError> {
    let mut parts = Vec::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(UnpackError::Outside(name.to_owned()));
            }
        }
    }
    Ok(parts.split_off(1.min(parts.len())))
}

/// Whether a link so many folders deep leads to something within. `..` may only stand at its beginning, where
/// the folders are known to be none but real ones.
fn stays_inside(goal: &Path, depth: usize) -> bool {
    let ups = goal.components().take_while(|part| matches!(part, Component::ParentDir)).count();
    let rest = goal.components().skip(ups);
    let mut plain = rest.filter(|part| !matches!(part, Component::CurDir));
    ups <= depth && plain.all(|part| matches!(part, Component::Normal(_)))
}

/// Makes folders below one, and refuses to go through links.
fn make_folders(folder: &Path, parts: &[&OsStr]) -> Result<(), UnpackError> {
    let mut path = folder.to_owned();
    for part in parts {
        path.push(part);
        let write = |error| UnpackError::Write { path: path.clone(), error };
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(found) if found.is_symlink() => return Err(UnpackError::ThroughLink(path)),
            Ok(_) => return Err(write(io::ErrorKind::NotADirectory.into())),
            Err(_) => fs::create_dir(&path).map_err(write)?,
        }
    }
    Ok(())
}

/// Removes a file or link that stands in the way. Never follows a link.
fn make_way(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
