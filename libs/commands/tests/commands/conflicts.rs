//! Several processes that write to one store.

use crate::{scene::*, store::Fate};
use buildwright_commands::{ExecuteError, Expected, Writers};
use domain::build::Rejection;
use std::time::{Duration, Instant};

#[tokio::test]
async fn what_another_writer_outdated_is_decided_again() {
    let scene = Scene::with(Writers::Several, 100).await;
    scene.submit(build(1), 2).await;
    // Decided, but not stored when somebody else takes up the same task.
    let mine = scene.occupy(build(1), start_by("mine", 0)).await;
    let other = scene.post(build(1), start_by("mine", 1));
    let theirs = scene.somebody_else().execute(build(1), "them".into(), start_by("theirs", 0)).await;
    theirs.unwrap();
    scene.store.let_go();

    assert!(matches!(rejection(soon(mine).await), Rejection::HeldByAnother { .. }));
    soon(other).await.unwrap();
    assert_eq!(scene.store.conflicts(), 1);
    let started = scene.kinds(build(1)).await.into_iter().filter(|kind| kind == "build_started").count();
    assert_eq!(started, 1, "the second of two first starts does not begin the build again");
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn who_is_overtaken_again_and_again_gives_up_and_has_stored_nothing() {
    let scene = Scene::with(Writers::Several, 100).await;
    scene.submit(build(1), 1).await;
    scene.store.fate([Fate::Overtaken; 8]);
    let began = Instant::now();
    let answer = soon(scene.execute(build(1), start(0))).await;
    assert!(matches!(answer, Err(ExecuteError::Contended)), "{answer:?}");
    assert_eq!(scene.store.appends(), 1 + 8);
    assert!(began.elapsed() > Duration::from_millis(100), "without a pause in {:?}", began.elapsed());
    assert!(!scene.kinds(build(1)).await.contains(&"task_started".to_owned()));

    // Overtaken once less, it comes through.
    scene.store.fate([Fate::Overtaken; 7]);
    soon(scene.execute(build(1), start(0))).await.unwrap();
    scene.assert_sound(build(1)).await;
}

/// The append alone tells whether what was known is up to date.
#[tokio::test]
async fn a_command_that_succeeds_costs_one_append_and_no_read() {
    let scene = Scene::with(Writers::Several, 100).await;
    scene.submit(build(1), 2).await;
    for command in [start(0), finish(0), start(1)] {
        scene.execute(build(1), command).await.unwrap();
    }
    assert_eq!((scene.store.appends(), scene.store.reads()), (4, 0));
    // Nothing is stored, so only a read can tell that nobody else changed anything.
    scene.execute(build(1), start(1)).await.unwrap();
    assert!(matches!(
        rejection(scene.execute(build(1), start_by("e2", 1)).await),
        Rejection::HeldByAnother { .. }
    ));
    assert_eq!((scene.store.appends(), scene.store.reads()), (4, 2));
    assert_eq!(scene.store.conflicts(), 0);
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn commands_that_were_decided_together_and_outdated_are_decided_together_again() {
    let scene = Scene::with(Writers::Several, 100).await;
    scene.submit(build(1), 4).await;
    let first = scene.occupy(build(1), start(0)).await;
    let rest = [start(1), finish(1), start(2), start(3), start_by("e2", 3)];
    let rest = rest.map(|command| scene.post(build(1), command));
    scene.store.fate([Fate::Overtaken, Fate::Overtaken, Fate::Overtaken]);
    scene.store.let_go();

    soon(first).await.unwrap();
    let mut answers = Vec::new();
    for answer in rest {
        answers.push(soon(answer).await);
    }
    assert!(matches!(rejection(answers.pop().unwrap()), Rejection::HeldByAnother { .. }));
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(scene.store.conflicts(), 3);
    scene.assert_sound(build(1)).await;
}

/// Such a command appends nothing, so no conflict would tell that it was decided on an old state.
#[tokio::test]
async fn a_command_is_not_waved_through_on_an_old_state() {
    let scene = Scene::with(Writers::Several, 100).await;
    scene.execute(build(1), submit(None)).await.unwrap();
    scene.somebody_else().execute(build(1), "them".into(), planned(plan(1))).await.unwrap();
    // On the old state there is no such task, and an outcome of what is not there changes nothing.
    scene.execute(build(1), finish(0)).await.unwrap();
    assert!(scene.kinds(build(1)).await.contains(&"task_completed".to_owned()));

    scene.somebody_else().execute(build(2), "them".into(), submit(plan(1))).await.unwrap();
    scene.execute(build(2), start(0)).await.unwrap();
}

#[tokio::test]
async fn a_read_sees_what_others_wrote() {
    let scene = Scene::with(Writers::Several, 100).await;
    scene.submit(build(1), 1).await;
    let theirs = scene.somebody_else().execute(build(1), "them".into(), start(0)).await.unwrap();
    let seen = scene.builds.read(build(1), |loaded| loaded.version).await.unwrap();
    assert_eq!(seen, Some(theirs.version));
    scene.assert_sound(build(1)).await;
}

/// Whoever acts on an event need not ask for what came after.
#[tokio::test]
async fn a_read_since_a_version_that_is_known_asks_nobody() {
    let scene = Scene::with(Writers::Several, 100).await;
    let submitted = scene.submit(build(1), 1).await;
    let seen =
        async |version| scene.builds.read_since(build(1), version, |loaded| loaded.version).await.unwrap();
    let theirs = scene.somebody_else().execute(build(1), "them".into(), start(0)).await.unwrap();
    assert_eq!(seen(submitted.version).await, Some(submitted.version));
    assert_eq!(scene.store.reads(), 0);
    assert_eq!(seen(theirs.version).await, Some(theirs.version));
    assert_eq!(seen(submitted.version).await, Some(theirs.version));
    assert_eq!(scene.store.reads(), 1);
    assert_eq!(scene.builds.read_since(build(2), submitted.version, |_| ()).await.unwrap(), None);
}

#[tokio::test]
async fn a_command_for_another_version_changes_nothing_however_it_became_another() {
    let scene = Scene::with(Writers::Several, 100).await;
    scene.submit(build(1), 2).await;
    let version = scene.builds.read(build(1), |loaded| loaded.version).await.unwrap().unwrap();
    let only_then = |command| {
        let expected = Expected::OneOf(vec![version]);
        scene.builds.execute_at(build(1), "mine".into(), command, expected)
    };
    // Somebody else was faster, and this process has not heard of it.
    scene.somebody_else().execute(build(1), "them".into(), start(0)).await.unwrap();

    let answer = only_then(start(1)).await;

    assert!(matches!(answer, Err(ExecuteError::Outdated)), "{answer:?}");
    let now = scene.builds.read(build(1), |loaded| loaded.version).await.unwrap().unwrap();
    let expected = Expected::OneOf(vec![version, now]);
    scene.builds.execute_at(build(1), "mine".into(), start(1), expected).await.unwrap();
    let unknown = scene.builds.execute_at(build(2), "mine".into(), start(1), Expected::OneOf(vec![])).await;
    assert!(matches!(unknown, Err(ExecuteError::Rejected(Rejection::Unknown))), "{unknown:?}");
    scene.assert_sound(build(1)).await;
}
