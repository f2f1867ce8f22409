use std::collections::HashMap;

use chrono::{DateTime, Utc};
use names::{BranchName, Commit, RefName};

use super::merge::MergeError;
use super::repositories::{Project, commit_id};
use crate::error::GitError;

/// How often we try again when another process moved the branch under us.
const ROUNDS: usize = 20;

/// A build's work on a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The commit by which the branch got it: the build's own, or the merge that brought it in.
    pub commit: Commit,
    /// The branch.
    pub branch: BranchName,
}

/// What a branch has to do to contain a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// Nothing: it got it by this commit.
    Arrived(Commit),
    /// To go to this commit.
    To(Commit),
}

/// Why a build's work is not on the branch.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It conflicts with what came onto the branch meanwhile. The build's ref is set all the same.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Others kept moving the branch.
    #[error("the branch moved {ROUNDS} times while it was being updated")]
    Contended,
}

impl Project {
    /// Keeps `commit` at `build_ref` and brings it onto `branch`: by fast-forward if possible, else by a
    /// merge with the tip. A commit that the branch already contains is left as it is, so repeating a call
    /// is safe and gives the same answer.
    pub async fn publish(
        &self,
        build_ref: &RefName,
        commit: &Commit,
        branch: &BranchName,
        message: &str,
        when: DateTime<Utc>,
    ) -> Result<Published, PublishError> {
        // Git checks what we expect of the branch; this only spares us losing to ourselves.
        let _turn = self.publishing.lock().await;
        self.set_ref(build_ref, commit, None).await?;
        let name = RefName::from(branch);
        let mut tip = self.resolve(&name).await?;
        for _ in 0..ROUNDS {
            let target = match self.advance(tip.as_ref(), commit, message, when).await? {
                Advance::Arrived(commit) => return Ok(Published { commit, branch: branch.clone() }),
                Advance::To(target) => target,
            };
            let moved = self.set_ref(&name, &target, Some(tip.as_ref())).await;
            let Err(error) = moved else { return Ok(Published { commit: target, branch: branch.clone() }) };
            let now = self.resolve(&name).await?;
            if now == tip {
                return Err(error.into());
            }
            tip = now;
        }
        Err(PublishError::Contended)
    }

    /// What bringing `commit` onto a branch comes to while the branch is at `tip`. It moves nothing.
    pub async fn advance(
        &self,
        tip: Option<&Commit>,
        commit: &Commit,
        message: &str,
        when: DateTime<Utc>,
    ) -> Result<Advance, MergeError> {
        match tip {
            None => Ok(Advance::To(commit.clone())),
            Some(tip) if self.contains(tip, commit).await? => {
                Ok(Advance::Arrived(self.arrival(tip, commit).await?))
            }
            Some(tip) if self.contains(commit, tip).await? => Ok(Advance::To(commit.clone())),
            Some(tip) => Ok(Advance::To(self.merge_pair(tip, commit, message, when).await?)),
        }
    }

    /// The first commit of a branch's own line, which is that of first parents, that contains `commit`.
    async fn arrival(&self, tip: &Commit, commit: &Commit) -> Result<Commit, GitError> {
        let command = "rev-list";
        let without = format!("^{commit}");
        let args = ["--ancestry-path", "--parents", tip.as_str(), &without];
        let list = self.run(command).args(args).stdout().await?;
        let list = String::from_utf8_lossy(&list);
        // Those after `commit`, each with its first parent.
        let after: HashMap<&str, &str> = list
            .lines()
            .filter_map(|line| {
                let mut ids = line.split(' ');
                Some((ids.next()?, ids.next()?))
            })
            .collect();
        let mut first = tip.as_str();
        while let Some(parent) = after.get(first) {
            if *parent != commit.as_str() && !after.contains_key(parent) {
                break;
            }
            first = parent;
        }
        commit_id(command, first.as_bytes())
    }
}
