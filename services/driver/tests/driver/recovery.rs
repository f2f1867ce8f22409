//! What a process finds that starts after another one was killed.

use crate::{builds::*, scene::*};
use buildwright_driver::Executors;
use domain::build::{Attempt, BuildEvent, BuildStatus, Phase, Work};
use std::collections::BTreeSet;

/// Attempts that were running, by the state of a build.
async fn running(scene: &Scene) -> BTreeSet<(Work, Attempt)> {
    let state = scene.state(build(1)).await;
    let running = state.open_work().filter(|(_, track)| matches!(track.phase, Phase::Running(_)));
    running.map(|(work, track)| (work, Attempt(track.attempt))).collect()
}

async fn lost(scene: &Scene) -> BTreeSet<(Work, Attempt)> {
    let events = scene.events(build(1)).await;
    let lost = events.iter().filter_map(|event| match event {
        BuildEvent::AttemptLost(lost) => Some((lost.work, lost.attempt)),
        _ => None,
    });
    lost.collect()
}

/// Kills a process when so many events are stored, starts another, and sees the build through.
async fn killed_after(events: u64) {
    let scene = Scene::new().await;
    let first = scene.process();
    first.store.die_at(events);
    first.give(build(1), submit(None)).await;
    let executor = first.executor(2);
    scene.wait_for(|event| event.position.0 >= events).await;
    drop(executor);
    first.end().await;
    let was_running = running(&scene).await;

    let second = scene.process();
    let _executor = second.executor(2);
    scene.wait_for_kind(build(1), "build_completed").await;
    second.end().await;

    assert_eq!(lost(&scene).await, was_running, "after {events} events");
    let state = scene.state(build(1)).await;
    assert_eq!((state.status, state.completed), (BuildStatus::Completed, 4));
    for (number, task) in state.tasks.iter().enumerate() {
        let losses = u32::from(was_running.contains(&(task_number(number), Attempt::FIRST)));
        assert_eq!((task.track.attempt, task.track.losses), (1 + losses, losses), "after {events} events");
    }
    let kinds = scene.kinds(build(1)).await;
    for (kind, times) in [("plan_generated", 1), ("task_completed", 4), ("merge_completed", 1)] {
        assert_eq!(kinds.iter().filter(|found| **found == kind).count(), times, "after {events} events");
    }
}

fn task_number(number: usize) -> Work {
    task(u32::try_from(number).unwrap())
}

#[tokio::test]
async fn a_build_survives_a_kill_after_any_of_its_events() {
    let undisturbed = Scene::new().await;
    let process = undisturbed.process();
    process.give(build(1), submit(None)).await;
    let _executor = process.executor(2);
    undisturbed.wait_for_kind(build(1), "build_completed").await;
    process.end().await;
    for events in 2..undisturbed.head() {
        killed_after(events).await;
    }
}

#[tokio::test]
async fn what_executors_elsewhere_hold_is_left_to_them() {
    let scene = Scene::new().await;
    let first = scene.process_with(100, Executors::Elsewhere);
    first.give(build(1), submit(diamond())).await;
    let held = first.take().await;
    first.started(held.order()).await;
    scene.wait_for_kind(build(1), "task_started").await;
    first.end().await;

    let second = scene.process_with(100, Executors::Elsewhere);
    second.finished(held.order(), success(task(0))).await;
    let works: Vec<_> = second.take_many(2).await.iter().map(|lease| lease.order().work).collect();
    assert_eq!(works, [task(1), task(2)]);
    assert_eq!(lost(&scene).await, BTreeSet::new());
    second.end().await;
}

#[tokio::test]
async fn a_start_that_finds_its_store_away_waits_for_it() {
    let scene = Scene::new().await;
    let first = scene.process();
    first.give(build(1), submit(diamond())).await;
    first.end().await;

    let second = scene.process();
    second.store.down(true);
    soon(second.store.wait_for_refusals(2)).await;
    second.store.down(false);
    assert_eq!(second.take().await.order().work, task(0));
    second.end().await;
}
