//! A real artifact store that runs full, or is written to by somebody else, when a story wants it.

use async_trait::async_trait;
use bus_local::FolderArtifacts;
use names::Commit;
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use std::{
    io,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

pub(crate) struct TroubledArtifacts {
    pub(crate) inner: FolderArtifacts,
    full: AtomicBool,
    /// How many of the next requests find it away.
    away: AtomicUsize,
    overtaking: Mutex<Option<Commit>>,
}

impl TroubledArtifacts {
    pub(crate) fn new(inner: FolderArtifacts) -> Self {
        Self { inner, full: AtomicBool::new(false), away: AtomicUsize::new(0), overtaking: Mutex::default() }
    }

    /// Just before the next base is stored, another attempt stores this one.
    pub(crate) fn overtake_base(&self, base: &Commit) {
        *self.overtaking.lock().unwrap() = Some(base.clone());
    }

    /// It cannot be reached by the next so many requests.
    pub(crate) fn go_away(&self, requests: usize) {
        self.away.store(requests, SeqCst);
    }

    fn reached(&self) -> Result<(), ArtifactError> {
        let away = self.away.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if away { Err(ArtifactError::Unavailable("not connected".into())) } else { Ok(()) }
    }

    pub(crate) fn run_full(&self) {
        self.full.store(true, SeqCst);
    }
}

#[async_trait]
impl ArtifactStore for TroubledArtifacts {
    async fn put(&self, key: &ArtifactKey, from: &Path) -> Result<bool, ArtifactError> {
        self.reached()?;
        if self.full.load(SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        let overtaking = self.overtaking.lock().unwrap().take_if(|_| key.as_str().ends_with("/base"));
        if let Some(base) = overtaking {
            let file = tempfile::NamedTempFile::new()?;
            std::fs::write(file.path(), base.as_str())?;
            assert!(self.inner.put(key, file.path()).await?);
        }
        self.inner.put(key, from).await
    }

    async fn get(&self, key: &ArtifactKey, to: &Path) -> Result<(), ArtifactError> {
        self.reached()?;
        self.inner.get(key, to).await
    }

    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError> {
        self.inner.remove_all(prefix).await
    }
}
