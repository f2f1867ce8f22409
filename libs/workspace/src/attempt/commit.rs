use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use names::Commit;

use super::changes::{self, Change};
use super::workspaces::AttemptWorkspace;
use crate::error::GitError;
use crate::project::{commit_id, message_bytes};
use crate::tree_path::TreePath;

/// What an attempt made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Harvest {
    /// The commit, on top of the start commit; `None` if nothing changed.
    pub commit: Option<Commit>,
    /// What changed, by path.
    pub changes: Vec<Change>,
    /// Directories that were git repositories of their own. Their files were committed as plain files and
    /// their `.git` is gone.
    pub flattened: Vec<TreePath>,
}

/// Why what an attempt left could not be committed.
#[derive(Debug, thiserror::Error)]
pub enum HarvestError {
    /// Too many changes.
    #[error("{files} files changed, more than {max}; most are in {most_in}: is it missing in .gitignore?")]
    TooManyFiles {
        /// How many.
        files: usize,
        /// The bound.
        max: usize,
        /// The entry of the root folder that most of them are in.
        most_in: TreePath,
    },
    /// Too much content.
    #[error("the changed files have {bytes} bytes, more than {max}")]
    TooManyBytes {
        /// How much.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// A path that would be dangerous to check out elsewhere, such as `.GIT/config`.
    #[error("{path} could be taken for a git directory")]
    ForbiddenName {
        /// The path.
        path: TreePath,
    },
    /// A repository inside the tree that cannot be committed as plain files: a submodule.
    #[error("{path} is a git repository of its own")]
    NestedRepository {
        /// The path.
        path: TreePath,
    },
    /// The tree is no longer a directory.
    #[error("the working directory is gone, or was replaced by a link")]
    TreeReplaced,
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl AttemptWorkspace {
    /// Commits what is in the tree now, as one commit on top of the start commit, whatever commits the agent
    /// made of its own. May be repeated: the last one counts.
    ///
    /// The agent must have ended. Nothing in its tree is run, and symbolic links stay links.
    pub async fn commit(&self, message: &str, when: DateTime<Utc>) -> Result<Harvest, HarvestError> {
        let pending = self.pending().await?;
        // Asked to look at these, git refuses: it does not go through links either.
        self.update_index(&["--force-remove"], &pending.hidden).await?;
        self.update_index(&["--add", "--remove", "--replace"], &pending.paths).await?;
        let changes = self.staged().await?;
        let commit = if changes.is_empty() { None } else { Some(self.record(message, when).await?) };
        Ok(Harvest { commit, changes, flattened: pending.flattened })
    }

    async fn update_index(&self, how: &[&str], paths: &BTreeSet<TreePath>) -> Result<(), GitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut input = Vec::new();
        for path in paths {
            input.extend_from_slice(path.as_bytes());
            input.push(0);
        }
        self.run_in_tree("update-index").args(how).args(["-z", "--stdin"]).input(input).stdout().await?;
        Ok(())
    }

    async fn staged(&self) -> Result<Vec<Change>, HarvestError> {
        let command = "diff-index";
        let args = ["--cached", "--raw", "-z", "--no-renames", "--abbrev=40", self.start.as_str()];
        let raw = self.run(command).args(args).stdout().await?;
        let unexpected = GitError::Unexpected { command, what: "raw changes" };
        let raw = changes::parse(&raw).ok_or(unexpected)?;
        raw.into_iter()
            .map(|raw| {
                if raw.is_gitlink {
                    return Err(HarvestError::NestedRepository { path: raw.change.path });
                }
                Ok(raw.change)
            })
            .collect()
    }

    async fn record(&self, message: &str, when: DateTime<Utc>) -> Result<Commit, GitError> {
        let tree = self.run("write-tree").stdout().await?;
        let tree = commit_id("write-tree", &tree)?;
        let id = self
            .run("commit-tree")
            .args([tree.as_str(), "-p", self.start.as_str(), "-F", "-"])
            .input(message_bytes(message))
            .dated(when)
            .stdout()
            .await?;
        commit_id("commit-tree", &id)
    }
}
