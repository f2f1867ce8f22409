use async_trait::async_trait;
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// Begins the name of a file that is still being written. No key holds such a character, so no key names
/// such a file, and removing a build's artifacts removes what a killed process left of them.
const UNFINISHED: &str = "~";

/// Artifacts as files in a folder, each at the path that its key spells.
#[derive(Debug, Clone)]
pub struct FolderArtifacts {
    root: PathBuf,
}

impl FolderArtifacts {
    /// Artifacts under `root`, which is made when the first one is stored.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// A key has no `..`, no empty and no absolute part: the path stays inside the root.
    fn path(&self, key: &ArtifactKey) -> PathBuf {
        self.root.join(key.as_str())
    }
}

#[async_trait]
impl ArtifactStore for FolderArtifacts {
    async fn put(&self, key: &ArtifactKey, from: &Path) -> Result<bool, ArtifactError> {
        let (to, from) = (self.path(key), from.to_owned());
        Ok(blocking(move || put(&from, &to)).await?)
    }

    async fn get(&self, key: &ArtifactKey, to: &Path) -> Result<(), ArtifactError> {
        let (from, to) = (self.path(key), to.to_owned());
        let Some(from) = blocking(move || open(&from)).await? else {
            return Err(ArtifactError::NotFound(key.clone()));
        };
        Ok(blocking(move || get(from, &to)).await?)
    }

    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError> {
        let path = self.path(prefix);
        Ok(blocking(move || remove(&path)).await?)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

fn put(from: &Path, to: &Path) -> io::Result<bool> {
    if to.try_exists()? {
        return Ok(false);
    }
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder)?;
    let mut unfinished = NamedTempFile::with_prefix_in(UNFINISHED, folder)?;
    io::copy(&mut File::open(from)?, unfinished.as_file_mut())?;
    unfinished.as_file().sync_all()?;
    match unfinished.persist_noclobber(to) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error.error),
    }
    // The name must be as durable as the content before anybody is told of it.
    File::open(folder)?.sync_all()?;
    Ok(true)
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_folder) => Ok(None),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A copy, not a link: whoever gets it may change it. Where the file system can share blocks, it does.
fn get(mut from: File, to: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(to)?;
    io::copy(&mut from, &mut file).map(drop).inspect_err(|_| {
        let _ = fs::remove_file(to);
    })
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(())
        }
        other => other,
    }
}
