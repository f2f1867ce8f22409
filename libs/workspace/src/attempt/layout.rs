//! The folders and files of a workspace, written by hand: that saves two processes an attempt.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use names::Commit;

use crate::error::GitError;
use crate::project::own_folder;

/// The agent's working directory.
pub(super) const TREE: &str = "tree";
/// Our git directory.
pub(super) const GIT: &str = "git";
/// The agent's home, outside the tree.
pub(super) const PRIVATE: &str = "private";
/// In our git directory: see [`LEFT_OUT`].
pub(super) const LEFT_OUT_FILE: &str = "info/left-out";

/// What is not committed from a tree that has no `.gitignore` at its root: installed dependencies, build
/// output and caches, which tools make in passing.
const LEFT_OUT: &str = "\
node_modules/
target/
.venv/
venv/
__pycache__/
*.pyc
.pytest_cache/
.mypy_cache/
.ruff_cache/
.next/
.nuxt/
.svelte-kit/
.turbo/
.parcel-cache/
.gradle/
.DS_Store
";

const OUR_CONFIG: &str = "[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
";

/// An identity, so that an agent that commits is not stopped by git asking for one.
const AGENTS_CONFIG: &str = "[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
[user]
\tname = Claude
\temail = claude@localhost
";

/// Makes the folders and our git directory, its `HEAD` at `start`.
pub(super) fn write_ours(root: &Path, objects: &Path, start: &Commit) -> Result<(), GitError> {
    own_folder(root, &[TREE, PRIVATE])?;
    let git = root.join(GIT);
    write_git_dir(&git, objects, OUR_CONFIG, &format!("{start}\n"))?;
    write(&git.join(LEFT_OUT_FILE), LEFT_OUT.as_bytes())
}

/// Makes the agent's own `.git`, on a branch `work` at `start`, with nothing changed.
pub(super) fn write_agents(root: &Path, objects: &Path, start: &Commit) -> Result<(), GitError> {
    let git = root.join(TREE).join(".git");
    write_git_dir(&git, objects, AGENTS_CONFIG, "ref: refs/heads/work\n")?;
    write(&git.join("refs/heads/work"), format!("{start}\n").as_bytes())?;
    write(&git.join("info/exclude"), LEFT_OUT.as_bytes())?;
    let index = root.join(GIT).join("index");
    fs::copy(&index, git.join("index")).map_err(GitError::file("copy", &index))?;
    Ok(())
}

fn write_git_dir(git: &Path, objects: &Path, config: &str, head: &str) -> Result<(), GitError> {
    for folder in ["objects/info", "objects/pack", "refs/heads", "info"] {
        let folder = git.join(folder);
        fs::create_dir_all(&folder).map_err(GitError::file("create", &folder))?;
    }
    write(&git.join("config"), config.as_bytes())?;
    write(&git.join("HEAD"), head.as_bytes())?;
    let alternates = [objects.as_os_str().as_bytes(), b"\n"].concat();
    write(&git.join("objects/info/alternates"), &alternates)
}

fn write(path: &Path, content: &[u8]) -> Result<(), GitError> {
    fs::write(path, content).map_err(GitError::file("write", path))
}
