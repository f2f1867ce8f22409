//! What a machine that runs no executor shows of a build.

use crate::scene::{Scene, shop};
use futures::TryStreamExt;
use names::Commit;
use ports::{ResultError, Results};

#[tokio::test]
async fn results_are_read_on_a_machine_that_had_no_part_in_them() {
    let scene = Scene::new();
    let (one, two, third) =
        (scene.machine("one").await, scene.machine("two").await, scene.machine("third").await);
    // Given a build that was not the branch's last word: it was merged with another's.
    let base = one.base().await;
    let commit = one.commit(&base, "a", "hello\n").await;
    two.build("b").await;
    assert_ne!(one.publish("bld_a", &base, &commit).await.unwrap(), commit);
    // When its results are read, they are its own.
    let results = third.results();
    let files = results.files(&shop(), &commit).await.unwrap();
    assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["a"]);
    let diff = scene.machine("fourth").await.results().diff(&shop(), &base, &commit, 1000).await.unwrap();
    assert!(diff.text.contains("+hello"), "{}", diff.text);
    let archive = scene.machine("fifth").await.results().archive(&shop(), &commit).await.unwrap();
    let bytes: Vec<_> = archive.try_collect().await.unwrap();
    assert!(bytes.concat().starts_with(&[0x1f, 0x8b]));
}

#[tokio::test]
async fn a_result_that_cannot_be_had_is_not_found() {
    let scene = Scene::new();
    let unknown: Commit = "1".repeat(40).parse().unwrap();
    let results = scene.machine("one").await.results();
    assert!(matches!(results.files(&shop(), &unknown).await, Err(ResultError::NotFound)));
}
