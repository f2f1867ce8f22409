//! Deadlines and waits. They go by the clock that commands are decided by, which stands still here until a
//! story moves it.

use crate::{builds::*, scene::*};
use domain::{
    FailureClass,
    build::{Attempt, BuildStatus},
};
use std::time::Duration;

#[tokio::test]
async fn a_build_that_takes_too_long_fails_and_its_attempts_are_stopped() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit_within(1, diamond())).await;
    let held = process.take().await;
    process.started(held.order()).await;
    let early = Duration::from_millis(1_200);
    assert!(not_within(early, held.revoked().cancelled_owned()).await, "by the clock it is still time");

    scene.clock.advance(1);
    soon(held.revoked().cancelled()).await;
    let state = scene.state(build(1)).await;
    assert_eq!(state.status, BuildStatus::Failed);
    assert_eq!(state.failure.unwrap().class, FailureClass::Timeout);
    process.end().await;
}

#[tokio::test]
async fn a_deadline_that_passed_while_nobody_ran_ends_the_build_at_the_start() {
    let scene = Scene::new().await;
    let first = scene.process();
    first.give(build(1), submit_within(3_600, diamond())).await;
    first.end().await;
    scene.clock.advance(3_600);

    let second = scene.process();
    scene.wait_for_kind(build(1), "build_failed").await;
    assert_eq!(scene.state(build(1)).await.failure.unwrap().class, FailureClass::Timeout);
    second.end().await;
}

#[tokio::test]
async fn a_retry_that_has_to_wait_is_not_offered_before_its_time() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(diamond())).await;
    let first = process.take().await;
    process.carry_out(first, failure(FailureClass::RateLimited, "slower, please")).await;
    scene.wait_for_kind(build(1), "task_failed").await;
    assert!(process.nothing_is_offered().await);

    scene.clock.advance(1);
    assert_eq!(process.take().await.order().attempt, Attempt(2));
    process.end().await;
}

#[tokio::test]
async fn a_retry_goes_on_waiting_after_a_restart() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(diamond())).await;
    let first = process.take().await;
    process.carry_out(first, failure(FailureClass::RateLimited, "slower, please")).await;
    scene.wait_for_kind(build(1), "task_failed").await;
    process.end().await;

    let process = scene.process();
    assert!(process.nothing_is_offered().await);
    scene.clock.advance(1);
    assert_eq!(process.take().await.order().attempt, Attempt(2));
    process.end().await;
}
