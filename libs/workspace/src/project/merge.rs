use chrono::{DateTime, Utc};
use names::Commit;

use super::repositories::{Project, commit_id};
use crate::error::GitError;
use crate::tree_path::TreePath;

/// Why commits could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// No commits were given.
    #[error("there is nothing to merge")]
    Nothing,
    /// Two commits changed the same place differently.
    #[error("the changes conflict in {}", list(paths))]
    Conflict {
        /// Where.
        paths: Vec<TreePath>,
    },
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn list(paths: &[TreePath]) -> String {
    let shown: Vec<String> = paths.iter().take(10).map(ToString::to_string).collect();
    let more = paths.len().saturating_sub(shown.len());
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

impl Project {
    /// Merges commits without a work tree, two at a time. One commit is its own merge.
    ///
    /// Commits that another one already contains are left out, and the order does not matter: the same set,
    /// message and date give the same id, so a retry or another machine comes to the same result.
    pub async fn merge(
        &self,
        commits: &[Commit],
        message: &str,
        when: DateTime<Utc>,
    ) -> Result<Commit, MergeError> {
        let mut commits: Vec<&Commit> = commits.iter().collect();
        commits.sort_unstable();
        commits.dedup();
        if commits.len() > 1 {
            let command = "merge-base";
            let independent = self
                .run(command)
                .arg("--independent")
                .args(commits.iter().map(|commit| commit.as_str()))
                .stdout()
                .await?;
            let independent = String::from_utf8_lossy(&independent);
            commits.retain(|commit| independent.lines().any(|line| line == commit.as_str()));
        }
        let mut rest = commits.into_iter();
        let mut merged = rest.next().ok_or(MergeError::Nothing)?.clone();
        for commit in rest {
            merged = self.merge_pair(&merged, commit, message, when).await?;
        }
        Ok(merged)
    }

    pub(super) async fn merge_pair(
        &self,
        ours: &Commit,
        theirs: &Commit,
        message: &str,
        when: DateTime<Utc>,
    ) -> Result<Commit, MergeError> {
        let command = "merge-tree";
        let args = ["--write-tree", "-z", "--name-only", "--no-messages", "--allow-unrelated-histories"];
        let commits = [ours.as_str(), theirs.as_str()];
        let finished = self.run(command).args(args).args(commits).finish().await?;
        if !matches!(finished.status.code(), Some(0 | 1)) {
            return Err(finished.failed(command).into());
        }
        let mut fields = finished.stdout.split(|b| *b == 0);
        let tree = commit_id(command, fields.next().unwrap_or_default())?;
        if !finished.status.success() {
            let paths = fields.filter(|path| !path.is_empty()).map(TreePath::new).collect();
            return Err(MergeError::Conflict { paths });
        }
        Ok(self.commit_tree(&tree, &[ours, theirs], message, when).await?)
    }
}
