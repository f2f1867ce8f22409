//! What would be committed, looked at before git reads any of it.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::commit::HarvestError;
use super::layout;
use super::workspaces::AttemptWorkspace;
use crate::error::{GitError, blocking};
use crate::removal;
use crate::tree_path::TreePath;

/// How much one attempt may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HarvestLimits {
    /// Files added, modified and deleted, together.
    pub max_files: usize,
    /// Bytes of all files added and modified, together.
    pub max_bytes: u64,
}

impl Default for HarvestLimits {
    /// 20,000 files and 256 MiB: far more than people write, less than installed dependencies take.
    fn default() -> Self {
        Self { max_files: 20_000, max_bytes: 256 << 20 }
    }
}

/// Paths that differ from the index or are new, and are not ignored.
pub(super) struct Pending {
    pub(super) paths: BTreeSet<TreePath>,
    /// Paths that are gone because a folder above them became a symbolic link.
    pub(super) hidden: BTreeSet<TreePath>,
    /// Directories that were repositories of their own.
    pub(super) flattened: Vec<TreePath>,
}

impl AttemptWorkspace {
    /// Lists what would be committed and checks it against the limits.
    ///
    /// A nested repository (`git init sub`) loses its `.git`, so that its files are committed as what they
    /// are to us: plain files. Git would record nothing but a commit id that exists nowhere else.
    pub(super) async fn pending(&self) -> Result<Pending, HarvestError> {
        let mut paths = self.list().await?;
        let flattened: Vec<TreePath> = paths.iter().filter(|path| is_directory(path)).cloned().collect();
        if !flattened.is_empty() {
            let (tree, nested) = (self.tree(), flattened.clone());
            blocking(move || nested.iter().try_for_each(|path| flatten(&tree.join(path.as_path())))).await?;
            paths = self.list().await?;
        }
        if let Some(path) = paths.iter().find(|path| is_directory(path)) {
            return Err(HarvestError::NestedRepository { path: path.clone() });
        }
        let (tree, limits) = (self.tree(), self.limits);
        blocking(move || {
            let (hidden, paths) = split_hidden(&tree, paths);
            check(&tree, paths.len() + hidden.len(), &paths, limits)?;
            Ok(Pending { paths, hidden, flattened })
        })
        .await
    }

    async fn list(&self) -> Result<BTreeSet<TreePath>, HarvestError> {
        let tree = self.tree();
        // The agent could have put a link in its place, and we would commit another folder.
        let kinds = move || {
            let is_tree = fs::symlink_metadata(&tree).is_ok_and(|found| found.is_dir());
            let ignores = fs::symlink_metadata(tree.join(".gitignore")).is_ok_and(|found| found.is_file());
            if is_tree { Ok(ignores) } else { Err(HarvestError::TreeReplaced) }
        };
        let has_own_rules = blocking(kinds).await?;
        let mut list =
            self.run_in_tree("ls-files").args(["-z", "--modified", "--others", "--exclude-standard"]);
        if !has_own_rules {
            let file = self.git_dir().join(layout::LEFT_OUT_FILE);
            let mut exclude = std::ffi::OsString::from("--exclude-from=");
            exclude.push(file);
            list = list.arg(exclude);
        }
        let list = list.stdout().await?;
        Ok(list.split(|b| *b == 0).filter(|path| !path.is_empty()).map(TreePath::new).collect())
    }
}

/// So git lists a repository in the tree; of other directories it lists the files.
fn is_directory(path: &TreePath) -> bool {
    path.as_bytes().ends_with(b"/")
}

/// Removes every `.git` beneath `directory`.
fn flatten(directory: &Path) -> Result<(), GitError> {
    let mut pending: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        let failed = || GitError::file("read", &directory);
        for entry in fs::read_dir(&directory).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            if entry.file_name() == ".git" {
                removal::remove(&entry.path()).map_err(GitError::file("remove", &entry.path()))?;
            } else if entry.file_type().map_err(failed())?.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Sets apart the paths that lead through a symbolic link: whatever is there now is not in the tree.
fn split_hidden(tree: &Path, paths: BTreeSet<TreePath>) -> (BTreeSet<TreePath>, BTreeSet<TreePath>) {
    let mut links: HashMap<PathBuf, bool> = HashMap::new();
    paths.into_iter().partition(|path| {
        let folders = path.as_path().ancestors().skip(1).filter(|folder| *folder != Path::new(""));
        folders.into_iter().any(|folder| match links.get(folder) {
            Some(is_link) => *is_link,
            None => {
                let is_link = tree.join(folder).is_symlink();
                links.insert(folder.to_owned(), is_link);
                is_link
            }
        })
    })
}

fn check(
    tree: &Path,
    files: usize,
    paths: &BTreeSet<TreePath>,
    limits: HarvestLimits,
) -> Result<(), HarvestError> {
    if files > limits.max_files {
        return Err(HarvestError::TooManyFiles {
            files,
            max: limits.max_files,
            most_in: busiest_folder(paths),
        });
    }
    let mut bytes: u64 = 0;
    for path in paths {
        if path.reaches_into_git() {
            return Err(HarvestError::ForbiddenName { path: path.clone() });
        }
        // Deleted files are listed, too.
        bytes += fs::symlink_metadata(tree.join(path.as_path())).map_or(0, |found| found.size());
    }
    if bytes > limits.max_bytes {
        return Err(HarvestError::TooManyBytes { bytes, max: limits.max_bytes });
    }
    Ok(())
}

/// The first component that most of the paths share, to say where they come from.
fn busiest_folder(paths: &BTreeSet<TreePath>) -> TreePath {
    let folder = |path: &TreePath| {
        let first = path.as_bytes().split(|b| *b == b'/').next().unwrap_or_default();
        TreePath::new(first)
    };
    let mut busiest = (0, TreePath::new(b""));
    let mut current = (0, TreePath::new(b""));
    // The paths are sorted; those of a folder `a` may be split by `a-b`, which is close enough.
    for path in paths {
        let folder = folder(path);
        current = if folder == current.1 { (current.0 + 1, folder) } else { (1, folder) };
        if current.0 > busiest.0 {
            busiest = current.clone();
        }
    }
    busiest.1
}
