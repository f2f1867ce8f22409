use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use names::{Commit, Segment};

use super::layout;
use super::pending::HarvestLimits;
use crate::error::{GitError, blocking};
use crate::invocation::Invocation;
use crate::project::{Project, own_folder, write_bundle};
use crate::removal;

/// All attempts' workspaces: `<root>/<build>/<name>/`.
#[derive(Debug, Clone)]
pub struct Workspaces {
    root: PathBuf,
    limits: HarvestLimits,
    build_folders: BuildFolders,
}

/// Locked while a build's folder is made and a workspace put into it, or removed because none is left: else
/// the last attempt's end takes the folder from under the next one's beginning.
#[derive(Debug, Clone, Default)]
struct BuildFolders(Arc<Mutex<()>>);

/// Whether the agent gets a git repository of its own in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentGit {
    /// A throw-away `.git`, so that `git status`, `log` and `diff` work for the agent. We never use it.
    Provided,
    /// None: a task that only runs a command needs none.
    Absent,
}

/// Which workspace to prepare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptSpec {
    /// The build it belongs to.
    pub build: Segment,
    /// Its name within the build, different for every attempt.
    pub name: Segment,
    /// The commit it starts from.
    pub start: Commit,
    /// Whether the agent gets a `.git`.
    pub agent_git: AgentGit,
}

/// One attempt's workspace. Dropping it leaves the files: call [`AttemptWorkspace::remove`].
#[derive(Debug, Clone)]
pub struct AttemptWorkspace {
    pub(super) project: Arc<Project>,
    pub(super) start: Commit,
    pub(super) limits: HarvestLimits,
    root: PathBuf,
    build_folders: BuildFolders,
}

impl Workspaces {
    /// Uses (and creates, if need be) the folder `root`. Only we, and agents inside their own workspace,
    /// may write there.
    pub async fn new(root: PathBuf, limits: HarvestLimits) -> Result<Self, GitError> {
        let root = blocking(move || own_folder(&root, &[])).await?;
        Ok(Self { root, limits, build_folders: BuildFolders::default() })
    }

    /// Checks out the start commit into a new workspace. What an earlier one of that name left is removed, and
    /// so is one that could not be finished: on a full disk it would keep the disk full.
    pub async fn prepare(
        &self,
        project: &Arc<Project>,
        spec: &AttemptSpec,
    ) -> Result<AttemptWorkspace, GitError> {
        let workspace = AttemptWorkspace {
            project: project.clone(),
            start: spec.start.clone(),
            limits: self.limits,
            root: self.root.join(spec.build.as_str()).join(spec.name.as_str()),
            build_folders: self.build_folders.clone(),
        };
        match workspace.fill(spec).await {
            Ok(()) => Ok(workspace),
            Err(error) => {
                // What hinders this would have hindered more than this.
                let _ = workspace.remove().await;
                Err(error)
            }
        }
    }

    /// Removes all workspaces of a build.
    pub async fn remove_build(&self, build: &Segment) -> Result<(), GitError> {
        let path = self.root.join(build.as_str());
        blocking(move || removal::remove(&path).map_err(GitError::file("remove", &path))).await
    }

    /// Removes all workspaces; for start-up, when none can be in use.
    pub async fn remove_all(&self) -> Result<(), GitError> {
        let root = self.root.clone();
        blocking(move || removal::empty(&root).map_err(GitError::file("empty", &root))).await
    }
}

impl AttemptWorkspace {
    async fn fill(&self, spec: &AttemptSpec) -> Result<(), GitError> {
        let (root, objects, start) = (self.root.clone(), self.project.objects(), spec.start.clone());
        let build_folders = self.build_folders.clone();
        blocking(move || {
            removal::remove(&root).map_err(GitError::file("remove", &root))?;
            build_folders.enter(&root)?;
            layout::write_ours(&root, &objects, &start)
        })
        .await?;
        self.run_in_tree("read-tree").args(["-m", "-u", self.start.as_str()]).stdout().await?;
        if spec.agent_git == AgentGit::Provided {
            let (root, objects, start) = (self.root.clone(), self.project.objects(), spec.start.clone());
            blocking(move || layout::write_agents(&root, &objects, &start)).await?;
        }
        Ok(())
    }

    /// The agent's working directory.
    pub fn tree(&self) -> PathBuf {
        self.root.join(layout::TREE)
    }

    /// For the agent's own configuration and caches, outside the tree. Created empty.
    pub fn private(&self) -> PathBuf {
        self.root.join(layout::PRIVATE)
    }

    /// Our git directory. Keep the agent from it.
    pub fn git_dir(&self) -> PathBuf {
        self.root.join(layout::GIT)
    }

    /// The project's objects, which the agent's `.git` borrows: show them to a sandbox, read-only.
    pub fn objects(&self) -> PathBuf {
        self.project.objects()
    }

    /// The commit it started from.
    pub fn start(&self) -> &Commit {
        &self.start
    }

    /// Writes `base..commit` as a bundle; see [`Project::bundle`]. The base is the *build's*, so that the
    /// bundle holds predecessors' commits too.
    pub async fn bundle(&self, commit: &Commit, base: Option<&Commit>, out: &Path) -> Result<(), GitError> {
        write_bundle(self.run("pack-objects"), commit, base, out).await
    }

    /// Removes everything the attempt left, and the build's folder if this was its last workspace.
    pub async fn remove(self) -> Result<(), GitError> {
        let Self { root, build_folders, .. } = self;
        blocking(move || {
            removal::remove(&root).map_err(GitError::file("remove", &root))?;
            build_folders.leave(&root);
            Ok(())
        })
        .await
    }

    pub(super) fn run(&self, command: &'static str) -> Invocation {
        self.project.git().run(command, &self.git_dir())
    }

    pub(super) fn run_in_tree(&self, command: &'static str) -> Invocation {
        self.run(command).work_tree(&self.tree())
    }
}

impl BuildFolders {
    /// Makes the folder of a workspace, and its build's if need be.
    fn enter(&self, workspace: &Path) -> Result<(), GitError> {
        let _locked = self.lock();
        own_folder(workspace, &[]).map(drop)
    }

    /// Removes the folder of the build whose workspace this was, if it was the last one.
    fn leave(&self, workspace: &Path) {
        let _locked = self.lock();
        // Fails while other workspaces are in it, as it should.
        let _ = workspace.parent().map(fs::remove_dir);
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
