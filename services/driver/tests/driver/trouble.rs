//! A store that is away for a while, and builds that cannot be read.

use crate::{builds::*, scene::*};

#[tokio::test]
async fn reports_made_while_the_store_is_away_are_not_lost() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(independent(3))).await;
    let leases = process.take_many(3).await;
    process.store.down(true);
    for lease in leases {
        let work = lease.order().work;
        process.carry_out(lease, success(work)).await;
    }
    // Each is tried again, more than once.
    soon(process.store.wait_for_refusals(5)).await;
    assert_eq!(scene.state(build(1)).await.completed, 0);

    process.store.down(false);
    let _executor = process.executor(1);
    scene.wait_for_kind(build(1), "build_completed").await;
    process.end().await;
}

#[tokio::test]
async fn events_stored_before_the_store_went_away_have_their_effect_when_it_is_back() {
    let scene = Scene::new().await;
    let process = scene.process();
    // As if another process had written it.
    let other = scene.process();
    process.store.down(true);
    other.give(build(1), submit(diamond())).await;
    soon(process.store.wait_for_refusals(2)).await;
    assert_eq!(process.queue.waiting(), 0);
    process.store.down(false);
    assert_eq!(process.take().await.order().work, task(0));
    process.end().await;
    other.end().await;
}

#[tokio::test]
async fn a_driver_that_waits_for_its_store_can_be_stopped() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(diamond())).await;
    let held = process.take().await;
    process.store.down(true);
    process.started(held.order()).await;
    soon(process.store.wait_for_refusals(1)).await;
    process.end().await;
}

/// Say, because a newer version wrote to it before this one was put back.
#[tokio::test]
async fn a_build_that_cannot_be_read_holds_no_other_up() {
    let scene = Scene::new().await;
    let process = scene.process();
    let scheduled = r#"{"attempt":1}"#;
    scene.append_raw(build(1), 0, "build_cheered", "{}").await;
    scene.append_raw(build(1), 1, "planning_scheduled", scheduled).await;
    process.give(build(2), submit(diamond())).await;
    assert_eq!(process.take().await.order().build, build(2));
    process.end().await;

    // At a start such a build is among those that have not ended.
    let submitting = scene.process();
    submitting.give(build(3), submit(diamond())).await;
    submitting.end().await;
    let version = scene.events(build(3)).await.len() as u64;
    scene.append_raw(build(3), version, "build_cheered", "{}").await;
    let process = scene.process();
    process.give(build(4), submit(diamond())).await;
    let builds: Vec<_> = process.take_many(2).await.iter().map(|lease| lease.order().build).collect();
    assert_eq!(builds, [build(2), build(4)]);
    process.end().await;
}
