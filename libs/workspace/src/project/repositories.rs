use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use names::{Commit, OwnedProject, RefName};
use tokio::sync::Mutex;

use super::lock::{self, Shared};
use super::source::SourceRules;
use crate::error::{GitError, blocking};
use crate::git::Git;
use crate::invocation::Invocation;
use crate::removal;

/// Objects and refs reach the disk before git reports success.
const CONFIG: &str = "[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tfsync = committed
\tfsyncMethod = batch
";

/// All projects' bare repositories: `<root>/<project>.git`.
#[derive(Debug)]
pub struct Repositories {
    root: PathBuf,
    git: Git,
    rules: Arc<SourceRules>,
    // Weak, so that a project nobody uses gives its lock back.
    open: Mutex<HashMap<OwnedProject, Weak<Project>>>,
}

/// One project's repository, open. Cheap to share; keep it while working on the project.
#[derive(Debug)]
pub struct Project {
    pub(super) git: Git,
    pub(super) rules: Arc<SourceRules>,
    pub(super) publishing: Mutex<()>,
    name: OwnedProject,
    dir: PathBuf,
    lock: Shared,
}

impl Repositories {
    /// Uses (and creates, if need be) the folder `root`. Only we may write there.
    pub async fn new(git: Git, root: PathBuf, rules: SourceRules) -> Result<Self, GitError> {
        let root = blocking(move || own_folder(&root, &[".locks", ".new"])).await?;
        Ok(Self { root, git, rules: Arc::new(rules), open: Mutex::default() })
    }

    /// Opens a project's repository. The first time, it is created, empty; after a crash, it is tidied.
    pub async fn project(&self, name: &OwnedProject) -> Result<Arc<Project>, GitError> {
        let mut open = self.open.lock().await;
        if let Some(project) = open.get(name).and_then(Weak::upgrade) {
            return Ok(project);
        }
        let (root, folder) = (self.root.clone(), format!("{name}.git"));
        let (dir, lock) = blocking(move || {
            let dir = root.join(&folder);
            let unfinished = root.join(".new").join(&folder);
            let lock = Shared::take(
                &root.join(".locks").join(&folder),
                || dir.is_dir(),
                || if dir.is_dir() { lock::clean(&dir) } else { create(&unfinished, &dir) },
            )?;
            Ok((dir, lock))
        })
        .await?;
        let project = Arc::new(Project {
            git: self.git.clone(),
            rules: self.rules.clone(),
            publishing: Mutex::default(),
            name: name.clone(),
            dir,
            lock,
        });
        open.retain(|_, project| project.strong_count() > 0);
        open.insert(name.clone(), Arc::downgrade(&project));
        Ok(project)
    }
}

impl Project {
    /// Whose repository it is.
    pub fn name(&self) -> &OwnedProject {
        &self.name
    }

    /// Where its objects are. A sandboxed agent needs to read this folder for its `git log` to work.
    pub fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    pub(super) fn run(&self, command: &'static str) -> Invocation {
        self.git.run(command, &self.dir)
    }

    /// A process that writes refs: it holds our lock, too, in case it outlives us.
    pub(super) fn run_locked(&self, command: &'static str) -> Result<Invocation, GitError> {
        let lock = self.lock.share().map_err(GitError::file("lock", &self.dir))?;
        Ok(self.run(command).input_file(lock))
    }

    /// The commit that a ref points at, if the ref exists.
    pub async fn resolve(&self, name: &RefName) -> Result<Option<Commit>, GitError> {
        let command = "rev-parse";
        let tip = format!("{name}^{{commit}}");
        let finished =
            self.run(command).args(["--verify", "--quiet", "--end-of-options", &tip]).finish().await?;
        match finished.status.code() {
            Some(0) => commit_id(command, &finished.stdout).map(Some),
            Some(1) => Ok(None),
            _ => Err(finished.failed(command)),
        }
    }

    /// Whether `descendant` contains `ancestor`.
    pub async fn contains(&self, descendant: &Commit, ancestor: &Commit) -> Result<bool, GitError> {
        if descendant == ancestor {
            return Ok(true);
        }
        let command = "merge-base";
        let args = ["--is-ancestor", ancestor.as_str(), descendant.as_str()];
        let finished = self.run(command).args(args).finish().await?;
        match finished.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(finished.failed(command)),
        }
    }

    /// Whether a commit is here. One that is here is here with all it builds on.
    pub async fn has(&self, commit: &Commit) -> Result<bool, GitError> {
        Ok(!self.present(&[commit]).await?.is_empty())
    }

    /// Points a ref at a commit that is here.
    pub async fn keep(&self, name: &RefName, commit: &Commit) -> Result<(), GitError> {
        self.set_ref(name, commit, None).await
    }

    /// Points a ref at a commit; with `expected`, only if it points there now (`None`: if it is absent).
    pub(super) async fn set_ref(
        &self,
        name: &RefName,
        commit: &Commit,
        expected: Option<Option<&Commit>>,
    ) -> Result<(), GitError> {
        let null = "0".repeat(commit.as_str().len());
        let expected = expected.map(|expected| expected.map_or(null.as_str(), Commit::as_str));
        let update = self.run_locked("update-ref")?;
        to_its_end(update.args(["--no-deref", name.as_str(), commit.as_str()]).args(expected)).await
    }

    /// Points a ref at the commit that another one points at, which goes.
    pub(super) async fn rename_ref(
        &self,
        from: &RefName,
        to: &RefName,
        commit: &Commit,
    ) -> Result<(), GitError> {
        self.set_ref(to, commit, None).await?;
        to_its_end(self.run_locked("update-ref")?.args(["--no-deref", "-d", from.as_str(), commit.as_str()]))
            .await
    }
}

/// Changes a ref. The process runs to its end even if the caller goes away: killed, it would leave a lock behind.
async fn to_its_end(update: Invocation) -> Result<(), GitError> {
    match tokio::spawn(update.stdout()).await {
        Ok(result) => result.map(drop),
        Err(source) => Err(GitError::Pipe { command: "update-ref", source: source.into() }),
    }
}

/// Reads the one commit id that a command printed.
pub(crate) fn commit_id(command: &'static str, output: &[u8]) -> Result<Commit, GitError> {
    std::str::from_utf8(output)
        .ok()
        .and_then(|text| text.trim_end().parse().ok())
        .ok_or(GitError::Unexpected { command, what: "an object id" })
}

/// Makes a folder that only its owner can enter, and folders in it. Returns its canonical path.
pub(crate) fn own_folder(root: &Path, inside: &[&str]) -> Result<PathBuf, GitError> {
    use std::os::unix::fs::DirBuilderExt;
    let make = |path: &Path| {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(GitError::file("create", path))
    };
    make(root)?;
    let root = fs::canonicalize(root).map_err(GitError::file("find", root))?;
    inside.iter().try_for_each(|name| make(&root.join(name)))?;
    Ok(root)
}

/// Makes an empty repository, complete or not at all.
fn create(unfinished: &Path, dir: &Path) -> Result<(), GitError> {
    removal::remove(unfinished).map_err(GitError::file("remove", unfinished))?;
    for folder in ["objects/info", "objects/pack", "refs/heads", "info"] {
        let folder = unfinished.join(folder);
        fs::create_dir_all(&folder).map_err(GitError::file("create", &folder))?;
    }
    for (name, content) in [("config", CONFIG), ("HEAD", "ref: refs/heads/main\n")] {
        let file = unfinished.join(name);
        fs::write(&file, content).map_err(GitError::file("write", &file))?;
    }
    fs::rename(unfinished, dir).map_err(GitError::file("create", dir))
}
