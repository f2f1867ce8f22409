use chrono::{DateTime, Utc};
use names::{BranchName, Commit, RefName};

use super::repositories::{Project, commit_id};
use super::source::Source;
use crate::error::GitError;

/// Why a build has nothing to start from.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// Git failed; for a source, usually because it is unreachable or the branch is not there.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A local repository, which the rules refuse.
    #[error("local repositories are not allowed here")]
    LocalRefused,
    /// A repository of one of our own projects, by its path.
    #[error("this is the repository of a project: name the project instead")]
    OurOwn,
    /// A host with a private address, which the rules refuse.
    #[error("the repository's host has a private address, which is not allowed here")]
    PrivateHost,
    /// The host's name has no address.
    #[error("the repository's host cannot be found")]
    UnknownHost(#[source] std::io::Error),
    /// The fetch brought no commit.
    #[error("the source branch has no commit")]
    NoSuchBranch,
}

impl Project {
    /// The commit that a build starts from.
    ///
    /// - With a source, its branch as it is now; but `branch` of this project if that already contains it,
    ///   so that one build continues where the last one ended.
    /// - Otherwise the tip of `branch`.
    /// - Otherwise an empty commit dated `when`: the same date gives the same id, on any machine.
    pub async fn base(
        &self,
        branch: &BranchName,
        source: Option<&Source>,
        when: DateTime<Utc>,
    ) -> Result<Commit, BaseError> {
        let fetched = self.fetch_some(source).await?;
        let tip = self.resolve(&RefName::from(branch)).await?;
        self.choose(fetched, tip, when).await
    }

    /// The same, where the branch is not kept here and its tip is known from elsewhere.
    pub async fn base_after(
        &self,
        tip: Option<Commit>,
        source: Option<&Source>,
        when: DateTime<Utc>,
    ) -> Result<Commit, BaseError> {
        let fetched = self.fetch_some(source).await?;
        self.choose(fetched, tip, when).await
    }

    async fn fetch_some(&self, source: Option<&Source>) -> Result<Option<Commit>, BaseError> {
        match source {
            Some(source) => self.fetch(source).await.map(Some),
            None => Ok(None),
        }
    }

    async fn choose(
        &self,
        fetched: Option<Commit>,
        tip: Option<Commit>,
        when: DateTime<Utc>,
    ) -> Result<Commit, BaseError> {
        match (fetched, tip) {
            (Some(fetched), Some(tip)) if self.contains(&tip, &fetched).await? => Ok(tip),
            (Some(fetched), _) => Ok(fetched),
            (None, Some(tip)) => Ok(tip),
            (None, None) => Ok(self.empty_commit(when).await?),
        }
    }

    async fn empty_commit(&self, when: DateTime<Utc>) -> Result<Commit, GitError> {
        let tree = self.run("mktree").input("").stdout().await?;
        let tree = commit_id("mktree", &tree)?;
        self.commit_tree(&tree, &[], "Start from nothing", when).await
    }

    /// Trees and commits have ids of one form, hence the type of `tree`.
    pub(super) async fn commit_tree(
        &self,
        tree: &Commit,
        parents: &[&Commit],
        message: &str,
        when: DateTime<Utc>,
    ) -> Result<Commit, GitError> {
        let id = self
            .run("commit-tree")
            .arg(tree.as_str())
            .args(parents.iter().flat_map(|parent| ["-p", parent.as_str()]))
            .args(["-F", "-"])
            .input(message_bytes(message))
            .dated(when)
            .stdout()
            .await?;
        commit_id("commit-tree", &id)
    }
}

/// Git refuses a NUL in a message.
pub(crate) fn message_bytes(message: &str) -> Vec<u8> {
    format!("{}\n", message.replace('\0', "").trim_end()).into_bytes()
}
