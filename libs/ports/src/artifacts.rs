//! Artifacts: the bundles in which results travel between executors that share no disk.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{fmt, path::Path};

/// The name of an artifact: segments of `a-z A-Z 0-9 . _ -` joined by `/`, none of them `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactKey(String);

impl ArtifactKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ArtifactKey {
    type Error = ArtifactError;

    fn try_from(text: String) -> Result<Self, ArtifactError> {
        let segment = |s: &str| {
            !s.is_empty()
                && s != "."
                && s != ".."
                && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        if text.len() <= 512 && text.split('/').all(segment) {
            Ok(Self(text))
        } else {
            Err(ArtifactError::BadKey(text))
        }
    }
}

impl From<ArtifactKey> for String {
    fn from(key: ArtifactKey) -> Self {
        key.0
    }
}

impl fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an artifact could not be stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The key is none.
    #[error("{0:?} is no artifact key")]
    BadKey(String),
    /// There is none of that name.
    #[error("there is no artifact {0}")]
    NotFound(ArtifactKey),
    /// Reading or writing failed.
    #[error("the artifact store failed: {0}")]
    Io(#[from] std::io::Error),
    /// The store cannot be reached.
    #[error("the artifact store is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The store of artifacts. Artifacts never change: storing one twice under a key keeps the first.
#[async_trait]
pub trait ArtifactStore: Send + Sync {
    /// Stores a file's content; returns whether it was the first of that key.
    ///
    /// # Errors
    /// If it cannot be written.
    async fn put(&self, key: &ArtifactKey, from: &Path) -> Result<bool, ArtifactError>;

    /// Writes an artifact's content to a new file.
    ///
    /// # Errors
    /// If there is none, or it cannot be written.
    async fn get(&self, key: &ArtifactKey, to: &Path) -> Result<(), ArtifactError>;

    /// Removes every artifact under a prefix, such as a build's.
    ///
    /// # Errors
    /// If one cannot be removed.
    async fn remove_all(&self, prefix: &ArtifactKey) -> Result<(), ArtifactError>;
}
