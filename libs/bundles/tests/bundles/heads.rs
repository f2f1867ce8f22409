//! The line of a project's branch, which all machines agree on.

use crate::scene::{Machine, Scene};
use buildwright_bundles::{ExchangeError, ExchangeLimits};
use names::{Commit, OwnedProject, ProjectName};
use std::{num::NonZeroUsize, sync::Arc};
use workspace::MergeError;

/// Each head contains the one before.
async fn assert_one_line(scene: &Scene, seen_by: &Machine) -> Vec<Commit> {
    let heads = scene.heads();
    for pair in heads.windows(2) {
        assert!(seen_by.project.contains(&pair[1], &pair[0]).await.unwrap());
    }
    heads
}

#[tokio::test]
async fn a_build_starts_from_what_another_machine_published() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, scene.machine("two").await);
    let first = one.build("a").await;
    assert_eq!(two.base().await, first);
    let second = two.build("b").await;
    assert_eq!(one.base().await, second);
    assert_eq!(one.files(&second).await, ["a", "b"]);
    assert_eq!(scene.heads(), [first, second]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn builds_published_at_once_from_several_machines_are_all_on_the_line() {
    let scene = Scene::new();
    let mut publishing = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let machine = scene.machine(name).await;
        let base = machine.base().await;
        let commit = machine.commit(&base, name, "1").await;
        publishing.push(tokio::spawn(async move {
            let published = machine.publish(name, &base, &commit).await.expect("published");
            (machine, name, base, commit, published)
        }));
    }
    let mut published = Vec::new();
    for one in publishing {
        published.push(one.await.unwrap());
    }
    let last = scene.machine("last").await;
    let head = last.base().await;
    assert_eq!(last.files(&head).await, ["four", "one", "three", "two"]);
    let heads = assert_one_line(&scene, &last).await;
    assert_eq!(heads.len(), 4);
    // Whoever asks again is told the same.
    for (machine, name, base, commit, published) in published {
        assert!(heads.contains(&published));
        assert_eq!(machine.publish(name, &base, &commit).await.unwrap(), published, "{name}");
    }
    assert_eq!(scene.heads(), heads);
}

#[tokio::test]
async fn whoever_is_overtaken_builds_on_the_one_that_was_faster() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, Arc::new(scene.machine("two").await));
    let base = one.base().await;
    let commit = one.commit(&base, "slow", "1").await;
    let faster = Arc::clone(&two);
    one.store.before_head(Box::pin(async move {
        faster.build("fast").await;
    }));
    let published = one.publish("bld_slow", &base, &commit).await.unwrap();
    assert_ne!(published, commit, "it was merged");
    assert_eq!(one.files(&published).await, ["fast", "slow"]);
    let heads = assert_one_line(&scene, &one).await;
    assert_eq!((heads.len(), heads.last()), (2, Some(&published)));
}

#[tokio::test]
async fn a_project_that_was_forgotten_goes_on_where_it_was() {
    let scene = Scene::new();
    let limits = ExchangeLimits { lines: NonZeroUsize::MIN, ..ExchangeLimits::default() };
    let (mut one, mut other) = (scene.machine_with("one", limits).await, scene.machine("other").await);
    let projects =
        ["shop", "depot", "office"].map(|name| OwnedProject::from(name.parse::<ProjectName>().unwrap()));
    for path in ["1st", "2nd", "3rd", "4th"] {
        for project in &projects {
            one.project = one.repositories.project(project).await.unwrap();
            one.build(path).await;
        }
    }
    for project in &projects {
        other.project = other.repositories.project(project).await.unwrap();
        let head = other.base().await;
        assert_eq!(other.files(&head).await, ["1st", "2nd", "3rd", "4th"], "{project:?}");
    }
    assert_eq!(scene.heads().len(), 4);
}

#[tokio::test]
async fn whoever_is_always_overtaken_gives_up() {
    let scene = Scene::new();
    let limits = ExchangeLimits { rounds: 1, ..ExchangeLimits::default() };
    let (one, two) = (scene.machine_with("one", limits).await, Arc::new(scene.machine("two").await));
    let base = one.base().await;
    let commit = one.commit(&base, "slow", "1").await;
    one.store.before_head(Box::pin(async move {
        two.build("fast").await;
    }));
    let error = one.publish("bld_slow", &base, &commit).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Contended(1)), "{error}");
    assert_eq!(scene.heads().len(), 1);
}

/// The bundle is there, the head is not.
#[tokio::test]
async fn a_crash_before_the_head_leaves_nothing_half() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, scene.machine("two").await);
    let before = one.build("before").await;
    let commit = one.commit(&before, "a", "1").await;
    one.store.refuse_heads(true);
    one.publish("bld_a", &before, &commit).await.unwrap_err();
    assert!(scene.bundle_of(&commit).exists());
    assert_eq!(two.base().await, before, "nobody has been told of it");

    // It is done again elsewhere, after somebody else's.
    let other = two.build("b").await;
    two.exchange.fetch(&two.project, &commit).await.unwrap();
    let published = two.publish("bld_a", &before, &commit).await.unwrap();
    assert_eq!(two.files(&published).await, ["a", "b", "before"]);
    // And once more by the first, which comes back and does not know.
    one.store.refuse_heads(false);
    assert_eq!(one.publish("bld_a", &before, &commit).await.unwrap(), published);
    assert_eq!(scene.heads(), [before, other, published]);
}

#[tokio::test]
async fn a_new_machine_catches_up_with_few_bundles() {
    let scene = Scene::new();
    let old = scene.machine("old").await;
    for n in 1..=40 {
        old.build(&format!("f{n}")).await;
    }
    let new = scene.machine("new").await;
    let head = new.base().await;
    assert_eq!(scene.heads().len(), 40);
    assert_eq!(scene.heads().last(), Some(&head));
    assert_eq!(new.files(&head).await.len(), 40);
    assert_eq!(new.store.bundles_fetched(), 9, "the 32nd has all before it");
    // From then on it fetches what is new, and nothing else.
    old.build("f41").await;
    new.base().await;
    assert_eq!(new.store.bundles_fetched(), 10);
}

#[tokio::test]
async fn a_contradiction_is_a_conflict_and_leaves_the_line_alone() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, scene.machine("two").await);
    let base = one.base().await;
    let (a, b) = (one.commit(&base, "same", "1").await, {
        two.base().await;
        two.commit(&base, "same", "2").await
    });
    one.publish("bld_a", &base, &a).await.unwrap();
    let error = two.publish("bld_b", &base, &b).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Merge(MergeError::Conflict { .. })), "{error}");
    assert_eq!(scene.heads(), [a]);
}

#[tokio::test]
async fn a_build_that_changed_nothing_is_published_too() {
    let scene = Scene::new();
    let one = scene.machine("one").await;
    let base = one.base().await;
    assert_eq!(one.publish("bld_a", &base, &base).await.unwrap(), base);
    assert_eq!(scene.heads(), std::slice::from_ref(&base));
    assert_eq!(one.publish("bld_b", &base, &base).await.unwrap(), base);
    assert_eq!(scene.heads().len(), 1);
}
