//! What a killed process leaves, and who may clean it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildwright_workspace::{Git, Project};
use names::BranchName;

use crate::fixture::{Fixture, at, git, open_project, task_ref, write};

/// Other tests start processes, each of which holds our files for an instant: then nobody is alone.
async fn reopen_until(git: &Git, root: &Path, done: impl Fn() -> bool) -> Arc<Project> {
    let started = Instant::now();
    loop {
        let project = open_project(git, root, "shop").await;
        if done() {
            return project;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "what the dead left is still there");
    }
}

#[tokio::test]
async fn a_new_project_appears_complete_or_not_at_all() {
    let f = Fixture::new().await;
    // A process died while it was creating `late`.
    write(&f.path("repositories/.new/late.git/HEAD"), "half");
    let late = open_project(&f.git, &f.path("repositories"), "late").await;
    late.base(&BranchName::main(), None, at(0)).await.unwrap();
    assert_eq!(git(&f.path("repositories/late.git"), &["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(fs::read_dir(f.path("repositories/.new")).unwrap().count(), 0);
}

#[tokio::test]
async fn stale_locks_of_a_killed_process_are_gone_after_a_restart() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let commit = f.commit_files("a", &base, &[("a", "1")]).await;
    let root = f.path("repositories");
    let leftovers = [
        "refs/builds/bld_1/tasks/a.lock",
        "refs/heads/main.lock",
        "packed-refs.lock",
        "HEAD.lock",
        "config.lock",
        "objects/pack/tmp_pack_x",
        "objects/aa/tmp_obj_x",
        "objects/tmp_objdir-incoming-x/pack/x",
    ];
    for leftover in leftovers {
        write(&f.repository().join(leftover), "");
    }
    let Fixture { project, folder, git, .. } = f;
    drop(project); // The "process" is dead: nobody holds the repository any more.

    let clean = || leftovers.iter().all(|leftover| !root.join("shop.git").join(leftover).exists());
    let project = reopen_until(&git, &root, clean).await;
    let name = names::RefName::of_build(&"bld_1".parse().unwrap());
    project.publish(&name, &commit, &BranchName::main(), "m", at(0)).await.unwrap();
    let bundle = folder.path().join("a.bundle");
    project.import(&bundle, &commit, &task_ref("a"), 1 << 20).await.unwrap();
    assert!(clean());
}

#[tokio::test]
async fn locks_of_the_living_are_left_alone() {
    let f = Fixture::new().await;
    let lock = f.repository().join("refs/heads/main.lock");
    write(&lock, "");
    // Another process opens the project while we hold it.
    let other = open_project(&f.git, &f.path("repositories"), "shop").await;
    assert!(lock.exists());
    drop(other);

    // A git process that outlived its parent still holds the repository, by its standard input.
    let held = fs::File::open(f.path("repositories/.locks/shop.git")).unwrap();
    held.lock_shared().unwrap();
    let mut orphan = Command::new("sleep").arg("60").stdin(Stdio::from(held)).spawn().unwrap();
    let Fixture { project, folder, git, .. } = f;
    drop(project);
    let reopened = open_project(&git, &folder.path().join("repositories"), "shop").await;
    assert!(lock.exists());
    drop(reopened);

    orphan.kill().unwrap();
    orphan.wait().unwrap();
    reopen_until(&git, &folder.path().join("repositories"), || !lock.exists()).await;
}

#[tokio::test]
async fn a_cancelled_operation_does_no_harm() {
    let f = Fixture::new().await;
    let base = f.base().await;
    for n in 0..20 {
        let workspace = f.prepare("one", &base).await;
        write(&workspace.tree().join("a"), n.to_string());
        let work = async {
            let commit = workspace.commit("x", at(n)).await.unwrap().commit.unwrap();
            f.deliver(&workspace, &commit, &base, "one").await;
            let name = names::RefName::of_build(&"bld_1".parse().unwrap());
            f.project.publish(&name, &commit, &BranchName::main(), "m", at(0)).await
        };
        // Dropped wherever it happens to be by then.
        let _ = tokio::time::timeout(Duration::from_millis(2 * n.unsigned_abs()), work).await;
    }
    // Retried, it succeeds, in the same process and with no lock in its way.
    let commit = f.commit_files("two", &base, &[("two", "1")]).await;
    let name = names::RefName::of_build(&"bld_2".parse().unwrap());
    let published = f.project.publish(&name, &commit, &BranchName::main(), "m", at(0)).await.unwrap();
    assert!(f.project.contains(&published.commit, &commit).await.unwrap());
    f.inspect(&["fsck", "--strict"]);
}
