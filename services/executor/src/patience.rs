use async_trait::async_trait;
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use std::{
    path::Path,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, ArtifactError>> + Send + 'a>>;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An artifact store whose users wait while it cannot be reached: what a model has made and was paid for is not to be
/// lost because a server restarts.
pub struct PatientArtifacts {
    store: Arc<dyn ArtifactStore>,
    patience: Duration,
}

impl PatientArtifacts {
    /// Waits so long for a store.
    #[must_use]
    pub fn new(store: Arc<dyn ArtifactStore>, patience: Duration) -> Self {
        Self { store, patience }
    }

    async fn patiently<'a, T>(&self, what: impl Fn() -> Asked<'a, T> + Send) -> Result<T, ArtifactError> {
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            match what().await {
                Err(ArtifactError::Unavailable(error)) if began.elapsed() < self.patience => {
                    tracing::debug!(%error, "the artifact store is waited for");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }
}

/// Whatever is asked for may be asked twice: the first content of a key stays.
#[async_trait]
impl ArtifactStore for PatientArtifacts {
    async fn put(&self, key: &ArtifactKey, from: &Path) -> Result<bool, ArtifactError> {
        self.patiently(|| self.store.put(key, from)).await
    }

    async fn get(&self, key: &ArtifactKey, to: &Path) -> Result<(), ArtifactError> {
        self.patiently(|| self.store.get(key, to)).await
    }

    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError> {
        self.patiently(|| self.store.remove_all(prefix)).await
    }
}
