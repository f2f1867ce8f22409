//! Commands on one build that wait at the same time.

use crate::scene::*;
use domain::build::Rejection;
use ports::{Position, Version};

#[tokio::test]
async fn a_command_is_stored_with_who_gave_it_and_when() {
    let scene = Scene::new().await;
    let executed = scene.execute(build(1), submit(None)).await.unwrap();
    assert_eq!((executed.version, executed.position), (Version(2), Position(2)));
    for event in scene.stream(build(1)).await {
        assert_eq!(event.metadata.actor.as_deref(), Some("tester"));
        assert_eq!(event.recorded_at, noon());
    }
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn commands_that_wait_together_share_an_append() {
    let scene = Scene::new().await;
    let submitted = scene.submit(build(1), 100).await;
    let first = scene.occupy(build(1), start(0)).await;
    let others: Vec<_> = (1..100).map(|task| scene.post(build(1), start(task))).collect();
    scene.store.let_go();

    // The first take-up begins the build, too.
    let mut version = submitted.version.0 + 2;
    assert_eq!(soon(first).await.unwrap().version, Version(version));
    for other in others {
        version += 1;
        assert_eq!(soon(other).await.unwrap().version, Version(version), "in the order they were posted");
    }
    assert_eq!(scene.store.appends(), 3, "the submission, the first start, all other starts");
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn each_command_sees_what_those_before_it_led_to() {
    let scene = Scene::new().await;
    scene.execute(build(1), submit(chain(3))).await.unwrap();
    let first = scene.occupy(build(1), start(0)).await;
    // None of these could be decided on what is stored now: each needs the one before.
    let rest =
        [finish(0), start(1), finish(1), start(2), finish(2)].map(|command| scene.post(build(1), command));
    scene.store.let_go();

    soon(first).await.unwrap();
    for answer in rest {
        soon(answer).await.unwrap();
    }
    assert_eq!(scene.store.appends(), 3);
    let kinds = scene.kinds(build(1)).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "task_completed").count(), 3);
    assert_eq!(kinds.last().unwrap(), "merge_scheduled");
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn a_refused_command_disturbs_no_other() {
    let scene = Scene::new().await;
    scene.submit(build(1), 3).await;
    let first = scene.occupy(build(1), start(0)).await;
    let stolen = scene.post(build(1), start_by("e2", 0));
    let second = scene.post(build(1), start(1));
    let unknown = scene.post(build(1), start(99));
    let again = scene.post(build(1), submit(None));
    let third = scene.post(build(1), start(2));
    scene.store.let_go();

    let before = soon(first).await.unwrap().version.0;
    assert!(matches!(rejection(soon(stolen).await), Rejection::HeldByAnother { .. }));
    assert_eq!(soon(second).await.unwrap().version, Version(before + 1));
    assert!(matches!(rejection(soon(unknown).await), Rejection::Stale { .. }));
    assert_eq!(rejection(soon(again).await), Rejection::AlreadySubmitted);
    assert_eq!(soon(third).await.unwrap().version, Version(before + 2));
    assert_eq!(scene.store.appends(), 3);
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn what_changes_nothing_is_answered_without_an_append() {
    let scene = Scene::new().await;
    scene.submit(build(1), 1).await;
    let started = scene.execute(build(1), start(0)).await.unwrap();
    assert_eq!(scene.execute(build(1), start(0)).await.unwrap(), started);
    assert_eq!(scene.store.appends(), 2);
}

#[tokio::test]
async fn no_append_mixes_what_two_actors_asked_for() {
    let scene = Scene::new().await;
    scene.submit(build(1), 6).await;
    let first = scene.occupy(build(1), start(0)).await;
    let actors = ["ann", "ann", "bob", "bob", "ann"];
    let rest: Vec<_> = (1..)
        .zip(actors)
        .map(|(task, actor)| scene.builds.post(build(1), actor.into(), start_by(actor, task)))
        .collect();
    scene.store.let_go();

    let mut expected = vec![("tester".to_owned(), soon(first).await.unwrap().version)];
    for (answer, actor) in rest.into_iter().zip(actors) {
        expected.push((actor.to_owned(), soon(answer).await.unwrap().version));
    }
    assert_eq!(scene.store.appends(), 2 + 3, "ann's two, bob's two, ann's last");
    let stream = scene.stream(build(1)).await;
    let stored: Vec<_> = stream
        .iter()
        .filter(|event| &*event.kind == "task_started")
        .map(|event| (event.metadata.actor.as_deref().unwrap().to_owned(), event.version))
        .collect();
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_half_done() {
    let scene = Scene::new().await;
    scene.submit(build(1), 3).await;
    let waiting = scene.occupy(build(1), start(0)).await;
    let behind = scene.post(build(1), start(1));
    drop((waiting, behind));
    let stays = scene.post(build(1), start(2));
    scene.store.let_go();

    soon(stays).await.unwrap();
    let kinds = scene.kinds(build(1)).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "task_started").count(), 3);
    scene.assert_sound(build(1)).await;
}
