//! Reading what a build made.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use names::{Commit, OwnedProject};

/// A file of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its path; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// Its git mode, such as `100644`, `100755` or `120000` (a link).
    pub mode: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A unified diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffText {
    /// The text; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// Whether it was cut at the bound.
    pub truncated: bool,
}

/// Why a result cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The commit is not there.
    #[error("the result is not available")]
    NotFound,
    /// What holds it cannot be reached: later it may be.
    #[error("the result is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Reading failed.
    #[error("the result cannot be read: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The results of builds, by project and commit.
#[async_trait]
pub trait Results: Send + Sync {
    /// All files of a commit.
    ///
    /// # Errors
    /// If it cannot be read.
    async fn files(&self, project: &OwnedProject, commit: &Commit) -> Result<Vec<FileEntry>, ResultError>;

    /// What changed between two commits, cut at `max_bytes`.
    ///
    /// # Errors
    /// If one cannot be read.
    async fn diff(
        &self,
        project: &OwnedProject,
        base: &Commit,
        commit: &Commit,
        max_bytes: usize,
    ) -> Result<DiffText, ResultError>;

    /// The commit's files as a gzipped tar archive.
    ///
    /// # Errors
    /// If it cannot be read.
    async fn archive(
        &self,
        project: &OwnedProject,
        commit: &Commit,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, ResultError>;
}
