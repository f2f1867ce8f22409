//! Results of builds, read out of the projects' repositories on this machine.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use names::{Commit, ProjectName, Segment};
use ports::{DiffText, FileEntry, ResultError, Results};
use std::sync::Arc;
use tokio_util::io::ReaderStream;
use workspace::{GitError, Project, Repositories};

/// The repositories as the API's [`Results`].
pub(crate) struct GitResults {
    repositories: Arc<Repositories>,
}

impl GitResults {
    pub(crate) fn new(repositories: Arc<Repositories>) -> Self {
        Self { repositories }
    }

    async fn project(&self, name: &ProjectName) -> Result<Arc<Project>, ResultError> {
        self.repositories.project(name).await.map_err(failed)
    }
}

fn failed(error: GitError) -> ResultError {
    ResultError::Failed(Box::new(error))
}

#[async_trait]
impl Results for GitResults {
    async fn files(&self, project: &ProjectName, commit: &Commit) -> Result<Vec<FileEntry>, ResultError> {
        let files = self.project(project).await?.files(commit).await.map_err(failed)?;
        let entry = |file: workspace::FileEntry| FileEntry {
            path: file.path.to_string(),
            mode: format!("{:06o}", file.mode),
            size: file.size.unwrap_or_default(),
        };
        Ok(files.into_iter().map(entry).collect())
    }

    async fn diff(
        &self,
        project: &ProjectName,
        base: &Commit,
        commit: &Commit,
        max_bytes: usize,
    ) -> Result<DiffText, ResultError> {
        let diff = self.project(project).await?.diff(base, commit, max_bytes).await.map_err(failed)?;
        Ok(DiffText { text: String::from_utf8_lossy(&diff.text).into_owned(), truncated: diff.truncated })
    }

    async fn archive(
        &self,
        project: &ProjectName,
        commit: &Commit,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, ResultError> {
        let prefix = Segment::try_from(project.to_string()).map_err(|e| ResultError::Failed(Box::new(e)))?;
        let archive = self.project(project).await?.archive(commit, &prefix).map_err(failed)?;
        Ok(ReaderStream::new(archive).boxed())
    }
}
