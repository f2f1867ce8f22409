//! One commit, from one machine to another.

use crate::scene::{Scene, at};
use buildwright_bundles::{ExchangeError, ExchangeLimits};
use names::Commit;
use std::fs;
use workspace::ImportError;

#[tokio::test]
async fn a_commit_arrives_with_all_it_builds_on() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, scene.machine("two").await);
    // Given a commit whose bundle leaves out what others have, as theirs do.
    let base = one.base().await;
    let first = one.commit(&base, "a", "1").await;
    let second = one.commit(&first, "b", "2").await;
    one.exchange.share(&one.project, &first, Some(&base)).await.unwrap();
    one.exchange.share(&one.project, &second, Some(&first)).await.unwrap();
    // When another machine asks for it.
    two.exchange.fetch(&two.project, &second).await.unwrap();
    // Then it has it all, and does not ask again.
    assert_eq!(two.files(&second).await, ["a", "b"]);
    assert!(two.project.contains(&second, &base).await.unwrap());
    assert_eq!(two.store.bundles_fetched(), 3);
    two.exchange.fetch(&two.project, &second).await.unwrap();
    assert_eq!(two.store.bundles_fetched(), 3);
}

#[tokio::test]
async fn attempts_that_need_the_same_commit_at_once_fetch_it_once() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, scene.machine("two").await);
    let base = one.base().await;
    let commit = one.commit(&base, "a", "1").await;
    one.exchange.share(&one.project, &commit, Some(&base)).await.unwrap();
    let fetch = || two.exchange.fetch(&two.project, &commit);
    let (first, second, third) = tokio::join!(fetch(), fetch(), fetch());
    first.and(second).and(third).unwrap();
    assert_eq!(two.store.bundles_fetched(), 2);
}

#[tokio::test]
async fn what_nobody_shared_is_not_to_be_had() {
    let scene = Scene::new();
    let machine = scene.machine("one").await;
    let unknown: Commit = "1".repeat(40).parse().unwrap();
    let error = machine.exchange.fetch(&machine.project, &unknown).await.unwrap_err();
    assert!(matches!(error, ExchangeError::NotShared(commit) if commit == unknown));
}

#[tokio::test]
async fn a_bundle_that_is_not_what_it_should_be_is_refused() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, scene.machine("two").await);
    let base = one.base().await;
    let commit = one.commit(&base, "a", "1").await;
    one.exchange.share(&one.project, &commit, Some(&base)).await.unwrap();
    // Another commit's, and one whose content was changed on its way.
    let other: Commit = "2".repeat(40).parse().unwrap();
    let bundle = fs::read(scene.bundle_of(&commit)).unwrap();
    fs::write(scene.bundle_of(&other), &bundle).unwrap();
    let error = two.exchange.fetch(&two.project, &other).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Import(ImportError::OtherCommit(_))), "{error}");
    let mut changed = bundle;
    let last = changed.len() - 40;
    changed[last] ^= 0xff;
    fs::write(scene.bundle_of(&commit), changed).unwrap();
    let error = two.exchange.fetch(&two.project, &commit).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Import(ImportError::Git(_))), "{error}");
    assert!(!two.project.has(&commit).await.unwrap());
}

#[tokio::test]
async fn bundles_that_build_on_each_other_without_end_are_given_up() {
    let scene = Scene::new();
    let limits = ExchangeLimits { bundles: 3, ..ExchangeLimits::default() };
    let (one, two) = (scene.machine("one").await, scene.machine_with("two", limits).await);
    let mut tip = one.base().await;
    for path in ["a", "b", "c"] {
        let next = one.commit(&tip, path, "").await;
        one.exchange.share(&one.project, &next, Some(&tip)).await.unwrap();
        tip = next;
    }
    let error = two.exchange.fetch(&two.project, &tip).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Endless(commit) if commit == tip));
}

#[tokio::test]
async fn a_machine_that_has_been_away_makes_the_same_start_from_nothing() {
    let scene = Scene::new();
    let (one, two) = (scene.machine("one").await, scene.machine("two").await);
    assert_eq!(one.base().await, two.base().await);
    let later = two.project.base_after(None, None, at(1)).await.unwrap();
    assert_ne!(later, two.base().await);
}
