//! What an agent could plant in its tree to make a later git command work for it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use buildwright_workspace::{AttemptWorkspace, HarvestError};

use crate::fixture::{Fixture, at, git, harvest, listed, write};

/// A program that leaves a trace when it is run.
struct Trap {
    program: PathBuf,
    trace: PathBuf,
}

impl Trap {
    fn set(f: &Fixture) -> Self {
        let (program, trace) = (f.path("trap"), f.path("sprung"));
        write(&program, format!("#!/bin/sh\necho sprung >> {}\ncat\n", trace.display()));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { program, trace }
    }

    fn command(&self) -> &str {
        self.program.to_str().unwrap()
    }

    fn sprung(&self) -> bool {
        self.trace.exists()
    }
}

/// Everything we ever do with an attempt's workspace, and with what came out of it.
async fn take_home(f: &Fixture, workspace: &AttemptWorkspace) -> Vec<String> {
    let made = harvest(workspace).await;
    let commit = made.commit.expect("a change");
    f.deliver(workspace, &commit, workspace.start(), "hostile").await;
    let other = f.commit_files("other", workspace.start(), &[("other", "1")]).await;
    let merged = f.project.merge(&[commit, other], "m", at(0)).await.expect("merged");
    f.project.diff(workspace.start(), &merged, 1 << 20).await.expect("a diff");
    f.prepare("next", &merged).await;
    listed(&made.changes)
}

#[tokio::test]
async fn hooks_fsmonitor_filters_and_includes_in_the_agents_git_never_run() {
    let f = Fixture::new().await;
    let trap = Trap::set(&f);
    let start = f.commit_files("first", &f.base().await, &[("a.txt", "1")]).await;
    let workspace = f.prepare("hostile", &start).await;
    let tree = workspace.tree();
    let run = trap.command();

    for hook in ["post-commit", "pre-commit", "post-checkout", "post-index-change", "reference-transaction"] {
        let hook = tree.join(".git/hooks").join(hook);
        write(&hook, fs::read(&trap.program).unwrap());
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    write(&tree.join(".git/more"), format!("[core]\n\tfsmonitor = {run}\n\tsshCommand = {run}\n"));
    let config = format!(
        "[include]\n\tpath = more\n[core]\n\thooksPath = {tree}/.git/hooks\n\tpager = {run}\n\
         [filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n\
         [diff \"x\"]\n\tcommand = {run}\n\ttextconv = {run}\n[merge \"x\"]\n\tdriver = {run}\n\
         [diff]\n\texternal = {run}\n[credential]\n\thelper = {run}\n[url \"ext::{run}\"]\n\tinsteadOf = /\n",
        tree = tree.display()
    );
    fs::OpenOptions::new().append(true).open(tree.join(".git/config")).unwrap();
    let own = fs::read_to_string(tree.join(".git/config")).unwrap();
    write(&tree.join(".git/config"), own + &config);
    write(&tree.join(".gitattributes"), "* filter=x diff=x merge=x\n");
    write(&tree.join("a.txt"), "2");

    // The trap is real: git in the tree falls for it.
    let _ = std::process::Command::new("git").args(["add", "-A"]).current_dir(&tree).output().unwrap();
    assert!(trap.sprung(), "the trap must work, or this test shows nothing");
    fs::remove_file(&trap.trace).unwrap();

    assert_eq!(take_home(&f, &workspace).await, ["A .gitattributes", "M a.txt"]);
    assert!(!trap.sprung());
}

#[tokio::test]
async fn redirecting_the_agents_git_elsewhere_does_not_redirect_ours() {
    let f = Fixture::new().await;
    let trap = Trap::set(&f);
    let start = f.commit_files("first", &f.base().await, &[("a", "1")]).await;
    let workspace = f.prepare("hostile", &start).await;
    let tree = workspace.tree();

    // The whole `.git` is replaced by a pointer to a repository with a worktree and alternates elsewhere.
    let elsewhere = f.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    git(&elsewhere, &["init", "-q", "--bare", "."]);
    git(&elsewhere, &["config", "core.fsmonitor", trap.command()]);
    git(&elsewhere, &["config", "core.worktree", "/etc"]);
    write(&elsewhere.join("objects/info/alternates"), "/nonexistent\n");
    fs::remove_dir_all(tree.join(".git")).unwrap();
    write(&tree.join(".git"), format!("gitdir: {}\n", elsewhere.display()));
    write(&tree.join("a"), "2");

    assert_eq!(take_home(&f, &workspace).await, ["M a"]);
    assert!(!trap.sprung());
}

#[tokio::test]
async fn alternates_replacements_and_grafts_of_the_agent_change_nothing_of_ours() {
    let f = Fixture::new().await;
    let start = f.commit_files("first", &f.base().await, &[("a", "1")]).await;
    let workspace = f.prepare("hostile", &start).await;
    let tree = workspace.tree();
    write(&tree.join("a"), "evil");
    git(&tree, &["commit", "-qam", "evil"]);
    git(&tree, &["replace", start.as_str(), "HEAD"]);
    write(&tree.join(".git/info/grafts"), format!("{start}\n"));
    write(&tree.join(".git/objects/info/alternates"), "/nonexistent\n");
    write(&tree.join("a"), "2");

    let made = harvest(&workspace).await;
    f.deliver(&workspace, &made.commit.unwrap(), &start, "hostile").await;
    let content = f.project.read_file(&start, &"a".parse().unwrap(), 100).await.unwrap().unwrap();
    assert_eq!(content.bytes, b"1");
}

#[tokio::test]
async fn a_nested_repository_is_committed_as_plain_files() {
    let f = Fixture::new().await;
    let trap = Trap::set(&f);
    let workspace = f.prepare("nested", &f.base().await).await;
    let tree = workspace.tree();
    for (nested, commits) in [("app", true), ("empty", false), ("app/inner", true)] {
        write(&tree.join(nested).join("file"), "1");
        git(&tree.join(nested), &["init", "-q"]);
        git(&tree.join(nested), &["config", "core.fsmonitor", trap.command()]);
        if commits {
            git(&tree.join(nested), &["-c", "core.fsmonitor=false", "add", "file"]);
            git(&tree.join(nested), &["-c", "core.fsmonitor=false", "commit", "-qm", "x"]);
        }
    }
    let _ = fs::remove_file(&trap.trace);

    let made = harvest(&workspace).await;
    assert_eq!(listed(&made.changes), ["A app/file", "A app/inner/file", "A empty/file"]);
    assert!(made.flattened.iter().any(|path| path.to_string() == "app/"), "{:?}", made.flattened);
    assert!(!trap.sprung());
}

#[tokio::test]
async fn a_submodule_of_the_start_commit_is_neither_fetched_nor_moved() {
    // Given a project with a submodule, which only a source repository can bring.
    let f = Fixture::new().await;
    let trap = Trap::set(&f);
    let source = f.path("source");
    fs::create_dir(&source).unwrap();
    git(&source, &["init", "-q", "-b", "main"]);
    let module =
        format!("[submodule \"sub\"]\n\tpath = sub\n\turl = ../shop.git\n\tupdate = !{}\n", trap.command());
    write(&source.join("plain"), "1");
    git(&source, &["add", "-A"]);
    git(&source, &["commit", "-qm", "x"]);
    let head = git(&source, &["rev-parse", "HEAD"]);
    git(&source, &["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    git(&source, &["commit", "-qm", "with a submodule"]);
    let clean = source_of(&source);
    let start = f.project.base(&"main".parse().unwrap(), Some(&clean), at(0)).await.unwrap();

    // When an attempt works next to it.
    let workspace = f.prepare("one", &start).await;
    assert_eq!(fs::read_dir(workspace.tree().join("sub")).unwrap().count(), 0);
    write(&workspace.tree().join("plain"), "2");
    assert_eq!(listed(&harvest(&workspace).await.changes), ["M plain"]);

    // When an attempt makes a repository in its place.
    let moved = f.prepare("two", &start).await;
    let sub = moved.tree().join("sub");
    git(&sub, &["init", "-q"]);
    git(&sub, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let error = moved.commit("x", at(0)).await.unwrap_err();
    assert!(matches!(error, HarvestError::NestedRepository { .. }), "{error}");

    // And a source whose .gitmodules would run a program is refused by fsck.
    write(&source.join(".gitmodules"), module);
    git(&source, &["add", ".gitmodules"]);
    git(&source, &["commit", "-qm", "evil"]);
    let error = f.project.base(&"main".parse().unwrap(), Some(&source_of(&source)), at(0)).await.unwrap_err();
    assert!(error.to_string().contains("gitmodulesUpdate"), "{error}");
    assert!(!trap.sprung());
}

fn source_of(path: &Path) -> buildwright_workspace::Source {
    buildwright_workspace::Source {
        url: path.to_str().unwrap().parse().unwrap(),
        branch: Some("main".parse().unwrap()),
    }
}

#[tokio::test]
async fn a_symbolic_link_is_kept_as_a_link_and_never_followed() {
    let f = Fixture::new().await;
    let secret = f.path("secret");
    write(&secret.join("key"), "hunter2");
    let start = f.commit_files("first", &f.base().await, &[("dir/file", "1")]).await;
    let workspace = f.prepare("links", &start).await;
    let tree = workspace.tree();
    symlink("/etc/passwd", tree.join("passwd")).unwrap();
    symlink(&secret, tree.join("folder")).unwrap();
    symlink("missing", tree.join("dangling")).unwrap();
    fs::remove_dir_all(tree.join("dir")).unwrap();
    symlink(&secret, tree.join("dir")).unwrap(); // Where a tracked folder was.

    let made = harvest(&workspace).await;
    assert_eq!(listed(&made.changes), ["A dangling", "A dir", "D dir/file", "A folder", "A passwd"]);
    let commit = made.commit.unwrap();
    f.deliver(&workspace, &commit, &start, "links").await;
    let content = f.project.read_file(&commit, &"passwd".parse().unwrap(), 100).await.unwrap().unwrap();
    assert_eq!(content.bytes, b"/etc/passwd");
    assert_eq!(f.project.read_file(&commit, &"folder/key".parse().unwrap(), 100).await.unwrap(), None);
    assert!(f.project.files(&commit).await.unwrap().iter().all(|file| file.mode == 0o120_000));
}

#[tokio::test]
async fn a_tree_replaced_by_a_link_is_refused() {
    let f = Fixture::new().await;
    let workspace = f.prepare("swap", &f.base().await).await;
    fs::remove_dir_all(workspace.tree()).unwrap();
    symlink("/etc", workspace.tree()).unwrap();
    let error = workspace.commit("x", at(0)).await.unwrap_err();
    assert!(matches!(error, HarvestError::TreeReplaced), "{error}");
    workspace.remove().await.unwrap();
    assert!(Path::new("/etc/passwd").exists());
}

#[tokio::test]
async fn names_that_another_file_system_takes_for_git_are_refused() {
    let f = Fixture::new().await;
    for (n, name) in [".GIT/config", "sub/.Git", "git~1/hooks/x", ".git./x"].into_iter().enumerate() {
        let workspace = f.prepare(&format!("twin{n}"), &f.base().await).await;
        write(&workspace.tree().join(name), "1");
        let error = workspace.commit("x", at(0)).await.unwrap_err();
        assert!(matches!(error, HarvestError::ForbiddenName { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn sockets_pipes_and_a_link_loop_do_not_stall_a_harvest() {
    let f = Fixture::new().await;
    let workspace = f.prepare("special", &f.base().await).await;
    let tree = workspace.tree();
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
    symlink("loop", tree.join("loop")).unwrap();
    write(&tree.join("file"), "1");
    assert_eq!(listed(&harvest(&workspace).await.changes), ["A file", "A loop"]);
}
