//! Executors on machines of their own, which share artifacts and no disk.

use crate::{orders::*, scene::*};
use bundles::GitResults;
use names::{Commit, ProjectName};
use ports::Results;
use std::{path::Path, process::Command, sync::Arc};
use tempfile::TempDir;

fn artifacts() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What a machine that runs nothing shows of a result.
async fn files_elsewhere(artifacts: &Path, commit: &Commit) -> Vec<String> {
    let api = Scene::sharing(artifacts).await;
    let results = GitResults::new(Arc::clone(&api.workshop.repositories), api.workshop.sharing.clone());
    let shop: ProjectName = "shop".parse().unwrap();
    let files = results.files(&shop.into(), commit).await.expect("it can be had");
    files.into_iter().map(|file| file.path).collect()
}

#[tokio::test]
async fn a_build_whose_tasks_alternate_between_machines_is_one_build() {
    let artifacts = artifacts();
    let (one, two) = (Scene::sharing(artifacts.path()).await, Scene::sharing(artifacts.path()).await);
    let a = task_result(one.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let b = task_result(two.carry_out(&task(1, 1, writes("b.txt", "b"))).await);
    let both = building_on(1, 2, command("cat a.txt b.txt > c.txt"), vec![input(0, &a), input(1, &b)]);
    let c = task_result(one.carry_out(&both).await);
    let next = building_on(1, 3, command("cat c.txt > d.txt"), vec![input(2, &c)]);
    let d = task_result(two.carry_out(&next).await);
    let last = merge(1, vec![input(0, &a), input(1, &b), input(2, &c), input(3, &d)]);
    let merged = merge_result(one.carry_out(&last).await);
    assert_eq!((merged.branch.as_str(), merged.files_changed), ("main", 4));
    // Wherever the end of it is done again, it has been done.
    assert_eq!(merge_result(two.carry_out(&last).await), merged);
    assert_eq!(files_elsewhere(artifacts.path(), &merged.commit).await, ["a.txt", "b.txt", "c.txt", "d.txt"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn builds_that_end_at_once_on_several_machines_are_both_what_the_next_starts_from() {
    let artifacts = artifacts();
    let (one, two) = (Scene::sharing(artifacts.path()).await, Scene::sharing(artifacts.path()).await);
    let a = task_result(one.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let b = task_result(two.carry_out(&task(2, 0, writes("b.txt", "b"))).await);
    let (first, second) =
        (one.begin(&merge(1, vec![input(0, &a)])), two.begin(&merge(2, vec![input(0, &b)])));
    let (first, second) = (merge_result(first.ended().await), merge_result(second.ended().await));
    assert_eq!(first.commit, a.commit);
    assert_eq!(second.commit, b.commit);

    let third = Scene::sharing(artifacts.path()).await;
    let c = task_result(third.carry_out(&task(3, 0, writes("c.txt", "c"))).await);
    let merged = merge_result(one.carry_out(&merge(3, vec![input(0, &c)])).await);
    assert_eq!(files_elsewhere(artifacts.path(), &merged.commit).await, ["a.txt", "b.txt", "c.txt"]);
    assert_eq!(merged.files_changed, 1, "the others were its base");
}

#[tokio::test]
async fn all_machines_start_from_the_commit_that_the_first_found_in_the_repository() {
    // Given a repository that moves on while a build of it is under way.
    let upstream = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@x"];
        let done =
            Command::new("git").current_dir(upstream.path()).args(identity).args(args).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let commit = |path: &str| {
        std::fs::write(upstream.path().join(path), path).unwrap();
        git(&["add", "."]);
        git(&["commit", "-qm", path]);
    };
    git(&["init", "-qb", "main"]);
    commit("old.txt");
    let of_upstream = |mut order: ports::WorkOrder| {
        let url = upstream.path().to_str().unwrap().parse().unwrap();
        let repository = domain::build::Repository { url, branch: None };
        Arc::make_mut(&mut order.spec).repository = Some(repository);
        order
    };
    let artifacts = artifacts();
    let (one, two) = (Scene::sharing(artifacts.path()).await, Scene::sharing(artifacts.path()).await);
    let a = task_result(one.carry_out(&of_upstream(task(1, 0, writes("a.txt", "a")))).await);
    commit("new.txt");
    // When another machine goes on, then it has what the first had.
    let last = of_upstream(merge(1, vec![input(0, &a)]));
    let merged = merge_result(two.carry_out(&last).await);
    assert_eq!(files_elsewhere(artifacts.path(), &merged.commit).await, ["a.txt", "old.txt"]);
    // And the next build has the new commit, of whose history others have most.
    let b = task_result(one.carry_out(&of_upstream(task(2, 0, writes("b.txt", "b")))).await);
    let merged = merge_result(two.carry_out(&of_upstream(merge(2, vec![input(0, &b)]))).await);
    assert_eq!(files_elsewhere(artifacts.path(), &merged.commit).await, ["b.txt", "new.txt", "old.txt"]);
}

#[tokio::test]
async fn of_two_machines_that_look_for_the_base_at_once_the_first_decides() {
    let artifacts = artifacts();
    let (one, two) = (Scene::sharing(artifacts.path()).await, Scene::sharing(artifacts.path()).await);
    let other = task_result(one.carry_out(&task(2, 0, writes("other.txt", "o"))).await);
    let published = merge_result(one.carry_out(&merge(2, vec![input(0, &other)])).await);
    // The second sees the newest head; one that looked before there was one is a little faster.
    two.artifacts.overtake_base(&published.base);
    let result = task_result(two.carry_out(&task(1, 0, command("true"))).await);
    assert_eq!(result.commit, published.base);
}

#[tokio::test]
async fn a_store_that_is_full_is_a_lack_of_resources() {
    let artifacts = artifacts();
    let scene = Scene::sharing(artifacts.path()).await;
    scene.artifacts.run_full();
    let failed = failure(scene.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    assert_eq!(failed.class, domain::FailureClass::Resource);
}
