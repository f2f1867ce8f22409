//! A queue that has room for less than there is to do.

use crate::{builds::*, scene::*};
use buildwright_driver::Executors;

#[tokio::test]
async fn everything_is_offered_in_the_end_however_small_the_queue() {
    let scene = Scene::new().await;
    let process = scene.process_with(2, Executors::InThisProcess);
    process.give(build(1), submit(independent(12))).await;
    process.give(build(2), submit(diamond())).await;
    let executor = process.executor(3);
    scene.wait_for_kind(build(1), "build_completed").await;
    scene.wait_for_kind(build(2), "build_completed").await;
    assert_eq!(executor.taken.lock().unwrap().len(), 13 + 5, "each once");
    process.end().await;
}

#[tokio::test]
async fn the_end_of_a_build_does_not_wait_for_room_in_the_queue() {
    let scene = Scene::new().await;
    let process = scene.process_with(1, Executors::InThisProcess);
    process.give(build(1), submit(diamond())).await;
    let held = process.take().await;
    // One of these waits in the queue, and nobody takes it.
    process.give(build(2), submit(independent(5))).await;
    process.give(build(1), cancel()).await;
    soon(held.revoked().cancelled()).await;
    process.end().await;
}

#[tokio::test]
async fn recovery_does_not_wait_for_room_in_the_queue() {
    let scene = Scene::new().await;
    let first = scene.process();
    first.give(build(1), submit(independent(5))).await;
    first.end().await;

    let second = scene.process_with(1, Executors::InThisProcess);
    let held = second.take().await;
    second.started(held.order()).await;
    scene.wait_for_kind(build(1), "task_started").await;
    second.end().await;
}
