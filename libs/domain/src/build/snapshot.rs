//! A build's state as text, so that a long stream need not be folded from its beginning.

use super::Build;

/// Why a snapshot says nothing to this version.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Another version made it.
    #[error("a snapshot of schema version {0}, which is not ours")]
    Version(u16),
    /// It is no build.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Build {
    /// What this version writes and the only one that it reads. It is another whenever the same events fold to
    /// another state or that state is written otherwise: a golden file tells.
    pub const SNAPSHOT_VERSION: u16 = 1;

    /// The state as JSON.
    ///
    /// # Errors
    /// If serde cannot write it: a defect.
    pub fn snapshot(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The state that a snapshot is of.
    ///
    /// # Errors
    /// If another version made it or it cannot be read; the events can still be folded.
    pub fn from_snapshot(version: u16, state: &str) -> Result<Self, SnapshotError> {
        if version != Self::SNAPSHOT_VERSION {
            return Err(SnapshotError::Version(version));
        }
        let mut build: Self = serde_json::from_str(state)?;
        build.restore_derived();
        Ok(build)
    }
}
