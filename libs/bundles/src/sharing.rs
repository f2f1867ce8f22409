use std::sync::Arc;

use chrono::{DateTime, Utc};
use names::{BranchName, Commit, RefName};
use workspace::{Project, Source};

use crate::error::ExchangeError;
use crate::exchange::Exchange;
use crate::heads::BuildWork;

/// How machines that work on the same projects come by each other's commits.
#[derive(Debug, Clone)]
pub enum Sharing {
    /// There is one machine: all its processes use the same repositories, whose `main` is the truth.
    OneDisk,
    /// There are many: the truth is in the artifact store, and repositories are caches of it.
    ThroughArtifacts(Arc<Exchange>),
}

impl Sharing {
    /// What a build starts from, if nothing else has fixed it; see [`Project::base`]. It is available to all
    /// machines when this returns.
    ///
    /// # Errors
    /// If there is nothing to start from.
    pub async fn base(
        &self,
        project: &Project,
        source: Option<&Source>,
        when: DateTime<Utc>,
    ) -> Result<Commit, ExchangeError> {
        match self {
            Self::OneDisk => Ok(project.base(&BranchName::main(), source, when).await?),
            Self::ThroughArtifacts(exchange) => {
                let head = exchange.head(project).await?;
                let base = project.base_after(head.clone(), source, when).await?;
                exchange.share(project, &base, head.as_ref()).await?;
                Ok(base)
            }
        }
    }

    /// Sees to it that a commit that is available is here.
    ///
    /// # Errors
    /// If it is not available, or cannot be taken over.
    pub async fn fetch(&self, project: &Project, commit: &Commit) -> Result<(), ExchangeError> {
        match self {
            Self::OneDisk => Ok(()),
            Self::ThroughArtifacts(exchange) => exchange.fetch(project, commit).await,
        }
    }

    /// Brings a build's work onto the project's branch and makes it available. Repeating it is safe and gives
    /// the same answer: the commit by which the branch got it.
    ///
    /// # Errors
    /// If it contradicts what is on the branch, or git or the store fail.
    pub async fn publish(&self, project: &Project, work: &BuildWork<'_>) -> Result<Commit, ExchangeError> {
        match self {
            Self::OneDisk => {
                let (build, branch) = (RefName::of_build(work.build), BranchName::main());
                let published =
                    project.publish(&build, work.commit, &branch, work.message, work.when).await?;
                Ok(published.commit)
            }
            Self::ThroughArtifacts(exchange) => exchange.publish(project, work).await,
        }
    }
}
