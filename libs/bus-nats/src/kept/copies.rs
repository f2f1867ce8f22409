//! Copies of artifacts in a folder, each at the path that its key spells; a file's time is when it was stored.

use crate::artifacts::{Bucket, BucketsMade};
use ports::ArtifactKey;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// Begins the names of files that are no copies. No key holds such a character.
const OURS: &str = "~";
/// The file that says when the buckets were made in which all copies are.
const MADE: &str = "~made.json";

#[derive(Debug, Clone)]
pub(super) struct Copies {
    folder: PathBuf,
    /// Their bytes, not less than there are.
    bytes: Arc<AtomicU64>,
    /// Written to while a folder is removed because nothing is in it, so that nothing is about to be put there.
    folders: Arc<RwLock<()>>,
}

#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) key: ArtifactKey,
    pub(super) path: PathBuf,
    stored_at: SystemTime,
    bytes: u64,
}

impl Kept {
    /// Its place in a line, if it is in one: what comes before the last `/`, and the number after it.
    pub(super) fn place(&self) -> Option<(&str, u64)> {
        let (line, number) = self.key.as_str().rsplit_once('/')?;
        Some((line, number.parse().ok()?))
    }
}

impl Copies {
    pub(super) async fn open(folder: PathBuf) -> io::Result<Self> {
        let copies = Self { folder, bytes: Arc::default(), folders: Arc::default() };
        blocking(move || {
            fs::create_dir_all(&copies.folder)?;
            copies.count(&copies.list()?);
            Ok(copies)
        })
        .await
    }

    /// The buckets that hold all of them. Not knowing is as knowing that none does: all are put again.
    pub(super) async fn remembered(&self) -> Option<BucketsMade> {
        let made = tokio::fs::read(self.folder.join(MADE)).await.ok()?;
        serde_json::from_slice(&made).ok()
    }

    /// All of them are in these buckets.
    pub(super) async fn remember(&self, made: BucketsMade) -> io::Result<()> {
        let folder = self.folder.clone();
        blocking(move || {
            let text = serde_json::to_vec(&made)?;
            write(&folder.join(MADE), |file| io::Write::write_all(file, &text))
        })
        .await
    }

    /// Keeps a copy, in the place of an earlier one. Returns the bytes of all.
    pub(super) async fn keep(&self, key: &ArtifactKey, from: &Path) -> io::Result<u64> {
        let (to, from, copies) = (self.folder.join(key.as_str()), from.to_owned(), self.clone());
        blocking(move || {
            let size = fs::metadata(&from)?.len();
            if fs::metadata(&to).is_ok_and(|copy| copy.len() == size) && same(&from, &to)? {
                return Ok(0);
            }
            let _no_folder_goes = copies.folders.read().unwrap_or_else(PoisonError::into_inner);
            fs::create_dir_all(to.parent().unwrap_or(&to))?;
            write(&to, |file| io::copy(&mut File::open(&from)?, file).map(drop))?;
            Ok(copies.bytes.fetch_add(size, Ordering::Relaxed) + size)
        })
        .await
    }

    pub(super) async fn drop(&self, copy: Kept) -> io::Result<()> {
        blocking(move || gone(fs::remove_file(&copy.path))).await
    }

    pub(super) async fn remove_all(&self, prefix: &ArtifactKey) -> io::Result<()> {
        let path = self.folder.join(prefix.as_str());
        blocking(move || gone(if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }))
            .await
    }

    /// All of them, the oldest first.
    pub(super) async fn all(&self) -> io::Result<Vec<Kept>> {
        let copies = self.clone();
        blocking(move || copies.list()).await
    }

    /// Removes what is too old, and then what is too much.
    pub(super) async fn tidy(&self, now: SystemTime, age: Duration, most: u64) -> io::Result<()> {
        let copies = self.clone();
        blocking(move || {
            let mut all = copies.list()?;
            let mut bytes = copies.count(&all);
            // Without its beginning a line cannot be followed, and it takes no room.
            all.sort_by_key(|copy| copy.place().is_some());
            for copy in all {
                let ages = Bucket::of(copy.key.as_str()) == Bucket::Builds;
                let old = now.duration_since(copy.stored_at).is_ok_and(|old| old > age);
                if (ages && old) || bytes > most {
                    gone(fs::remove_file(&copy.path))?;
                    let _nobody_comes = copies.folders.write().unwrap_or_else(PoisonError::into_inner);
                    // Goes as far up as folders are empty.
                    let folders = copy.path.ancestors().skip(1).take_while(|folder| *folder != copies.folder);
                    let _ = folders.map(fs::remove_dir).find(Result::is_err);
                    bytes = bytes.saturating_sub(copy.bytes);
                }
            }
            copies.bytes.store(bytes, Ordering::Relaxed);
            Ok(())
        })
        .await
    }

    fn count(&self, all: &[Kept]) -> u64 {
        let bytes = all.iter().map(|copy| copy.bytes).sum();
        self.bytes.store(bytes, Ordering::Relaxed);
        bytes
    }

    fn list(&self) -> io::Result<Vec<Kept>> {
        let (mut found, mut folders) = (Vec::new(), vec![self.folder.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in entries(&folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(OURS) {
                    continue;
                }
                match entry.metadata() {
                    Ok(it) if it.is_dir() => folders.push(entry.path()),
                    Ok(it) => found.extend(self.copy(entry.path(), &it)?),
                    // It went while we looked.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        found.sort_by_key(|copy| copy.stored_at);
        Ok(found)
    }

    fn copy(&self, path: PathBuf, file: &fs::Metadata) -> io::Result<Option<Kept>> {
        let name = path.strip_prefix(&self.folder).ok().and_then(Path::to_str).map(str::to_owned);
        let Some(key) = name.and_then(|name| ArtifactKey::try_from(name).ok()) else { return Ok(None) };
        Ok(Some(Kept { key, path, stored_at: file.modified()?, bytes: file.len() }))
    }
}

fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// A copy that is half there after a loss of power would be put again as if it were all.
fn write(to: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut unfinished = NamedTempFile::with_prefix_in(OURS, to.parent().unwrap_or(to))?;
    content(unfinished.as_file_mut())?;
    unfinished.as_file().sync_data()?;
    unfinished.persist(to)?;
    Ok(())
}

fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (io::BufReader::new(File::open(one)?), io::BufReader::new(File::open(other)?));
    loop {
        let (left, right) = (io::BufRead::fill_buf(&mut one)?, io::BufRead::fill_buf(&mut other)?);
        let both = left.len().min(right.len());
        if left.get(..both) != right.get(..both) {
            return Ok(false);
        }
        if both == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        io::BufRead::consume(&mut one, both);
        io::BufRead::consume(&mut other, both);
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(())
        }
        other => other,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
