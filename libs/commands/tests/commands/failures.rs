//! A store that fails, lies and panics.

use crate::{scene::*, store::Fate};
use domain::build::Rejection;

fn starts(kinds: &[String]) -> usize {
    kinds.iter().filter(|kind| *kind == "task_started").count()
}

#[tokio::test]
async fn when_the_store_fails_all_who_wait_are_told_and_memory_is_not_ahead_of_it() {
    let scene = Scene::new().await;
    scene.submit(build(1), 5).await;
    let first = scene.occupy(build(1), start(0)).await;
    let together: Vec<_> = (1..4).map(|task| scene.post(build(1), start(task))).collect();
    scene.store.fate([Fate::Refused, Fate::Refused]);
    scene.store.let_go();

    assert_store_failed(&soon(first).await);
    for answer in together {
        assert_store_failed(&soon(answer).await);
    }
    scene.assert_sound(build(1)).await;
    scene.execute(build(1), start(4)).await.unwrap();
    assert_eq!(starts(&scene.kinds(build(1)).await), 1);
    scene.assert_sound(build(1)).await;
}

/// The worst answer: an error after the commit.
#[tokio::test]
async fn an_append_that_was_stored_and_denied_is_not_stored_twice() {
    let scene = Scene::new().await;
    scene.submit(build(1), 2).await;
    scene.store.fate([Fate::StoredAndDenied]);
    assert_store_failed(&scene.execute(build(1), start(0)).await);

    // Whoever asks again is told that it is so; another executor is refused.
    scene.execute(build(1), start(0)).await.unwrap();
    assert!(matches!(
        rejection(scene.execute(build(1), start_by("e2", 0)).await),
        Rejection::HeldByAnother { .. }
    ));
    scene.execute(build(1), start(1)).await.unwrap();
    assert_eq!(starts(&scene.kinds(build(1)).await), 2);
    assert_eq!(scene.store.conflicts(), 0);
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn a_panic_costs_one_batch_its_answers_and_nothing_else() {
    let scene = Scene::new().await;
    scene.submit(build(1), 3).await;
    let first = scene.occupy(build(1), start(0)).await;
    let behind = scene.post(build(1), start(1));
    scene.store.fate([Fate::Panic]);
    scene.store.let_go();

    assert_store_failed(&soon(first).await);
    // What waits behind is carried out, even if nobody posts anything more.
    soon(behind).await.unwrap();
    soon(scene.execute(build(1), start(2))).await.unwrap();
    assert_eq!(starts(&scene.kinds(build(1)).await), 2);
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn a_build_that_cannot_be_read_is_neither_commanded_nor_taken_for_a_new_one() {
    let scene = Scene::new().await;
    scene.somebody_else().execute(build(1), "them".into(), submit(plan(1))).await.unwrap();
    scene.store.unreadable(true);
    assert_store_failed(&scene.execute(build(1), submit(plan(1))).await);
    assert!(scene.builds.read(build(1), |_| ()).await.is_err());

    scene.store.unreadable(false);
    assert_eq!(rejection(scene.execute(build(1), submit(plan(1))).await), Rejection::AlreadySubmitted);
    scene.execute(build(1), start(0)).await.unwrap();
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn a_build_that_is_not_there_can_still_come() {
    let scene = Scene::new().await;
    assert_eq!(rejection(scene.execute(build(1), cancel()).await), Rejection::Unknown);
    assert_eq!(scene.builds.read(build(1), |_| ()).await.unwrap(), None);
    scene.submit(build(1), 1).await;
    assert_eq!(scene.builds.read(build(1), |_| ()).await.unwrap(), Some(()));
}
