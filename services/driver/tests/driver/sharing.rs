//! Builds of several tenants, and less room in the queue than they want.

use crate::{builds::*, scene::*};
use buildwright_driver::{Alone, Counts, Settings, Window};
use ports::{BreakerState, ExecutorName, ExecutorState, ExecutorStatus, Roster};
use std::time::Duration;

fn narrow(window: usize) -> Settings {
    Settings { window: Window::Fixed(window), ..Settings::default() }
}

fn counts(process: &Process) -> Counts {
    process.gauges.snapshot().pools.values().next().copied().unwrap_or_default()
}

#[tokio::test]
async fn a_flood_waits_in_the_driver_and_another_tenant_is_not_behind_it() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, narrow(3));
    let replica = scene.replica(&fleet);
    replica.give(build(1), submit_for("flood", independent(200))).await;
    until(|| counts(&replica) == Counts { waiting: 197, admitted: 3, running: 0 }).await;
    replica.give(build(2), submit_for("small", diamond())).await;
    until(|| counts(&replica).waiting == 198).await;
    assert_eq!(fleet.queue.offers.lock().unwrap().len(), 3);

    let mut held = replica.take_many(3).await;
    for n in 0..2 {
        replica.started(held[n].order()).await;
        held.push(replica.take().await);
    }
    assert!(held.iter().any(|lease| lease.order().build == build(2)), "it had to wait for one window");
    until(|| counts(&replica) == Counts { waiting: 196, admitted: 3, running: 2 }).await;
    replica.end().await;
}

#[tokio::test]
async fn every_way_a_build_goes_makes_room_for_others() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, narrow(1));
    let replica = scene.replica(&fleet);
    for n in 1..=4 {
        replica.give(build(n), submit(None)).await;
    }
    let _executor = replica.executor(2);
    for n in 1..=4 {
        scene.wait_for_kind(build(n), "build_completed").await;
    }
    until(|| replica.gauges.snapshot().pools.values().all(|counts| *counts == Counts::default())).await;
    assert_eq!(fleet.queue.offers.lock().unwrap().len(), 4 * 6, "each once");
    replica.end().await;
}

#[tokio::test]
async fn a_cancelled_build_makes_room_for_the_next() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, narrow(1));
    let replica = scene.replica(&fleet);
    replica.give(build(1), submit(independent(5))).await;
    let held = replica.take().await;
    replica.give(build(2), submit(diamond())).await;
    replica.give(build(1), cancel()).await;
    soon(held.revoked().cancelled()).await;
    assert_eq!(replica.take().await.order().build, build(2));
    replica.end().await;
}

#[tokio::test]
async fn what_a_bus_that_is_away_does_not_take_is_offered_when_it_is_back() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, narrow(3));
    let replica = scene.replica(&fleet);
    fleet.queue.away(true);
    replica.give(build(1), submit(independent(10))).await;
    until(|| counts(&replica) == Counts { waiting: 7, admitted: 3, running: 0 }).await;
    fleet.queue.away(false);
    let _executor = replica.executor(2);
    scene.wait_for_kind(build(1), "build_completed").await;
    replica.end().await;
}

fn executor(slots: u32) -> ExecutorStatus {
    ExecutorStatus {
        name: ExecutorName("e1".into()),
        version: "1".into(),
        pool: Default::default(),
        labels: Vec::new(),
        slots,
        running: Vec::new(),
        state: ExecutorState::Working,
        breaker: BreakerState::Closed,
        started_at: noon(),
        seen_at: noon(),
    }
}

#[tokio::test]
async fn the_more_executors_there_are_the_more_is_in_the_queue() {
    let scene = Scene::new().await;
    let settings = Settings {
        window: Window::BySlots { least: 2, per_slot: 2 },
        roster_interval: Duration::from_millis(20),
        ..Settings::default()
    };
    let fleet = Fleet::new(Alone, settings);
    let replica = scene.replica(&fleet);
    replica.give(build(1), submit(independent(50))).await;
    until(|| counts(&replica).admitted == 2).await;
    fleet.crew.announce(&executor(10)).await;
    until(|| replica.queue.waiting() == 20).await;
    replica.end().await;
}
