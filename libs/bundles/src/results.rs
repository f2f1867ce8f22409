use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use names::{Commit, OwnedProject, Segment};
use ports::{DiffText, FileEntry, ResultError, Results};
use tokio_util::io::ReaderStream;
use workspace::{Project, Repositories};

use crate::error::ExchangeError;
use crate::sharing::Sharing;

/// Results of builds, read out of the repositories on this machine, into which they are fetched as need be.
#[derive(Debug)]
pub struct GitResults {
    repositories: Arc<Repositories>,
    sharing: Sharing,
}

impl GitResults {
    /// Results out of these repositories.
    #[must_use]
    pub fn new(repositories: Arc<Repositories>, sharing: Sharing) -> Self {
        Self { repositories, sharing }
    }

    /// The project, with the commits in it.
    async fn project(&self, name: &OwnedProject, commits: &[&Commit]) -> Result<Arc<Project>, ResultError> {
        let project = self.repositories.project(name).await.map_err(failed)?;
        for commit in commits {
            self.sharing.fetch(&project, commit).await.map_err(|error| match error {
                ExchangeError::NotShared(_) => ResultError::NotFound,
                error => failed(error),
            })?;
        }
        Ok(project)
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ResultError {
    ResultError::Failed(Box::new(error))
}

#[async_trait]
impl Results for GitResults {
    async fn files(&self, project: &OwnedProject, commit: &Commit) -> Result<Vec<FileEntry>, ResultError> {
        let files = self.project(project, &[commit]).await?.files(commit).await.map_err(failed)?;
        let entry = |file: workspace::FileEntry| FileEntry {
            path: file.path.to_string(),
            mode: format!("{:06o}", file.mode),
            size: file.size.unwrap_or_default(),
        };
        Ok(files.into_iter().map(entry).collect())
    }

    async fn diff(
        &self,
        project: &OwnedProject,
        base: &Commit,
        commit: &Commit,
        max_bytes: usize,
    ) -> Result<DiffText, ResultError> {
        let project = self.project(project, &[base, commit]).await?;
        let diff = project.diff(base, commit, max_bytes).await.map_err(failed)?;
        Ok(DiffText { text: String::from_utf8_lossy(&diff.text).into_owned(), truncated: diff.truncated })
    }

    async fn archive(
        &self,
        project: &OwnedProject,
        commit: &Commit,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, ResultError> {
        let prefix = Segment::try_from(project.name.to_string()).map_err(failed)?;
        let archive = self.project(project, &[commit]).await?.archive(commit, &prefix).map_err(failed)?;
        Ok(ReaderStream::new(archive).boxed())
    }
}
