//! What gets lost on its way between the driver and the executors.

use crate::{builds::*, scene::*};
use buildwright_driver::{Alone, Settings};
use domain::build::{Attempt, BuildStatus, Phase};
use ports::Lease;
use std::time::Duration;

fn sweeping(grace: Duration) -> Settings {
    Settings { sweep_interval: Duration::from_millis(20), grace, ..Settings::default() }
}

const SOON: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_hours(1);

async fn lost(scene: &Scene) -> usize {
    scene.kinds(build(1)).await.iter().filter(|kind| **kind == "attempt_lost").count()
}

/// A replica with one task that an executor is at.
async fn running(scene: &Scene, fleet: &Fleet) -> (Process, Box<dyn Lease>) {
    let replica = scene.replica(fleet);
    replica.give(build(1), submit(diamond())).await;
    let held = replica.take().await;
    replica.started(held.order()).await;
    scene.wait_for_kind(build(1), "task_started").await;
    (replica, held)
}

#[tokio::test]
async fn an_order_that_vanished_is_given_out_again_as_the_next_attempt() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, sweeping(SOON));
    let replica = scene.replica(&fleet);
    replica.give(build(1), submit(diamond())).await;
    until(|| replica.queue.waiting() == 1).await;
    fleet.queue.vanish(build(1), task(0), Attempt(1));
    assert_eq!(replica.take().await.order().attempt, Attempt(2));
    replica.end().await;
}

#[tokio::test]
async fn a_running_attempt_whose_order_vanished_is_lost_and_its_executor_fenced() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, sweeping(SOON));
    let (replica, held) = running(&scene, &fleet).await;
    fleet.queue.vanish(build(1), task(0), Attempt(1));
    let next = replica.take().await;
    assert_eq!(next.order().attempt, Attempt(2));
    assert!(fleet.queue.was_revoked(build(1), task(0), Attempt(1)));

    replica.finished(held.order(), success(task(0))).await;
    replica.started(next.order()).await;
    scene.wait_for(|event| &*event.kind == "task_started" && event.payload.contains("\"attempt\":2")).await;
    assert_eq!(scene.state(build(1)).await.completed, 0, "the old attempt's outcome does not count");
    replica.end().await;
}

#[tokio::test]
async fn before_the_grace_is_over_nothing_is_lost() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, sweeping(NEVER));
    let (replica, _held) = running(&scene, &fleet).await;
    fleet.queue.vanish(build(1), task(0), Attempt(1));
    soon(fleet.queue.wait_for_questions(20)).await;
    assert_eq!(lost(&scene).await, 0);
    replica.end().await;
}

#[tokio::test]
async fn an_attempt_whose_order_is_there_is_never_lost() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, sweeping(Duration::ZERO));
    let (replica, held) = running(&scene, &fleet).await;
    soon(fleet.queue.wait_for_questions(20)).await;
    assert_eq!(lost(&scene).await, 0);
    assert!(!held.revoked().is_cancelled());
    replica.end().await;
}

#[tokio::test]
async fn while_the_bus_cannot_say_nothing_is_lost() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, sweeping(SOON));
    let (replica, _held) = running(&scene, &fleet).await;
    fleet.queue.away(true);
    fleet.queue.vanish(build(1), task(0), Attempt(1));
    let long_enough = SOON * 3;
    let began = std::time::Instant::now();
    while began.elapsed() < long_enough {
        soon(fleet.queue.wait_for_questions(1)).await;
    }
    assert_eq!(lost(&scene).await, 0);
    fleet.queue.away(false);
    assert_eq!(replica.take().await.order().attempt, Attempt(2));
    replica.end().await;
}

#[tokio::test]
async fn a_deadline_that_no_timer_met_is_met_by_a_sweep() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, sweeping(NEVER));
    let (replica, held) = running(&scene, &fleet).await;
    // The timer goes by another clock, and sleeps on.
    scene.clock.advance(3_600);
    soon(held.revoked().cancelled()).await;
    assert_eq!(scene.state(build(1)).await.status, BuildStatus::Failed);
    replica.end().await;
}

#[tokio::test]
async fn the_next_leader_begins_to_observe_anew_and_finds_it_too() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, sweeping(SOON));
    let (first, _held) = running(&scene, &fleet).await;
    first.end().await;
    fleet.queue.vanish(build(1), task(0), Attempt(1));
    let second = scene.replica(&fleet);
    assert_eq!(second.take().await.order().attempt, Attempt(2));
    let phase = scene.state(build(1)).await.tasks[0].track.phase.clone();
    assert_eq!(phase, Phase::Scheduled(None));
    second.end().await;
}
