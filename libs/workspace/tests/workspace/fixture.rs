//! A project and workspaces in a temporary folder.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use buildwright_workspace::{
    Access, AgentGit, AttemptSpec, AttemptWorkspace, Change, ChangeKind, Git, Harvest, HarvestLimits,
    Project, Repositories, SourceRules, Workspaces,
};
use chrono::{DateTime, Utc};
use names::{BranchName, Commit, ProjectName, RefName, Segment};
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) git: Git,
    pub(crate) project: Arc<Project>,
    pub(crate) workspaces: Workspaces,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(HarvestLimits::default()).await
    }

    pub(crate) async fn with(limits: HarvestLimits) -> Self {
        let git = Git::find("git", search_path()).await.expect("git 2.38 or newer");
        Self::running(git, limits).await
    }

    pub(crate) async fn running(git: Git, limits: HarvestLimits) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let project = open_project(&git, &folder.path().join("repositories"), "shop").await;
        let workspaces = Workspaces::new(folder.path().join("workspaces"), limits).await.expect("workspaces");
        Self { folder, git, project, workspaces }
    }

    pub(crate) async fn base(&self) -> Commit {
        self.project.base(&BranchName::main(), None, at(0)).await.expect("a base")
    }

    pub(crate) async fn prepare(&self, name: &str, start: &Commit) -> AttemptWorkspace {
        let spec = AttemptSpec {
            build: segment("bld_1"),
            name: segment(name),
            start: start.clone(),
            agent_git: AgentGit::Provided,
        };
        self.workspaces.prepare(&self.project, &spec).await.expect("a workspace")
    }

    /// An attempt that writes these files and whose commit arrives in the project.
    pub(crate) async fn commit_files(&self, name: &str, start: &Commit, files: &[(&str, &str)]) -> Commit {
        let workspace = self.prepare(name, start).await;
        for (path, content) in files {
            write(&workspace.tree().join(path), content);
        }
        let commit = harvest(&workspace).await.commit.expect("a change");
        self.deliver(&workspace, &commit, start, name).await;
        workspace.remove().await.expect("removed");
        commit
    }

    pub(crate) async fn deliver(&self, from: &AttemptWorkspace, commit: &Commit, base: &Commit, task: &str) {
        let bundle = self.path(&format!("{task}.bundle"));
        from.bundle(commit, Some(base), &bundle).await.expect("a bundle");
        self.project.import(&bundle, commit, &task_ref(task), 1 << 30).await.expect("imported");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.path("repositories/shop.git")
    }

    /// What git itself says about the project's repository.
    pub(crate) fn inspect(&self, args: &[&str]) -> String {
        git(&self.repository(), args)
    }
}

pub(crate) async fn open_project(git: &Git, root: &Path, name: &str) -> Arc<Project> {
    let rules = SourceRules { local: Access::Allowed, ..SourceRules::default() };
    let repositories = Repositories::new(git.clone(), root.to_owned(), rules).await.expect("repositories");
    let name: ProjectName = name.parse().expect("a name");
    repositories.project(&name.into()).await.expect("a project")
}

pub(crate) async fn harvest(workspace: &AttemptWorkspace) -> Harvest {
    workspace.commit("Do the task", at(60)).await.expect("a harvest")
}

/// Changes as `A path`, which reads better in an assertion.
pub(crate) fn listed(changes: &[Change]) -> Vec<String> {
    let letter = |kind| match kind {
        ChangeKind::Added => 'A',
        ChangeKind::Modified => 'M',
        ChangeKind::Deleted => 'D',
        ChangeKind::TypeChanged => 'T',
    };
    changes.iter().map(|change| format!("{} {}", letter(change.kind), change.path)).collect()
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
}

pub(crate) fn segment(text: &str) -> Segment {
    text.parse().expect("a segment")
}

pub(crate) fn task_ref(task: &str) -> RefName {
    RefName::of_task(&segment("bld_1"), &segment(task))
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, content).expect("a file");
}

/// Git as an agent or a person would run it: obeying whatever is configured in `directory`.
pub(crate) fn git(directory: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .env_clear()
        .env("PATH", search_path())
        .env("HOME", "/dev/null")
        .envs([("GIT_AUTHOR_NAME", "x"), ("GIT_AUTHOR_EMAIL", "x@x")])
        .envs([("GIT_COMMITTER_NAME", "x"), ("GIT_COMMITTER_EMAIL", "x@x")])
        .args(["-c", "protocol.file.allow=always", "-c", "safe.directory=*"])
        .args(args)
        .current_dir(directory)
        .output()
        .expect("git");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "tests look for git where the person running them would")]
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").expect("PATH is set")
}
