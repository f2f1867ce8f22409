//! Several drivers over one log and one bus.

use crate::{builds::*, scene::*, throne::Throne};
use buildwright_driver::{Alone, Settings, Snapshot};
use domain::{
    FailureClass,
    build::{Attempt, BuildEvent, BuildStatus},
};
use ports::Leadership;
use std::time::Duration;

#[tokio::test]
async fn one_replica_gives_out_work() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Throne::new(), Settings::default());
    let (one, two) = (scene.replica(&fleet), scene.replica(&fleet));
    until(|| [&one, &two].iter().any(|replica| replica.gauges.snapshot().leading)).await;
    let (leader, other) = if one.gauges.snapshot().leading { (one, two) } else { (two, one) };

    other.give(build(1), submit(diamond())).await;
    leader.take().await;
    assert_eq!(other.gauges.snapshot(), Snapshot::default());
    let pools = leader.gauges.snapshot().pools;
    assert_eq!(pools.values().map(|counts| counts.admitted).sum::<usize>(), 1);
    leader.end().await;
    other.end().await;
}

#[tokio::test]
async fn a_replica_that_does_not_lead_takes_reports_all_the_same() {
    let scene = Scene::new().await;
    let throne = Throne::new();
    let fleet = Fleet::new(throne.clone(), Settings::default());
    let leader = scene.replica(&fleet);
    leader.give(build(1), submit(diamond())).await;
    let held = leader.take().await;
    // From now on nobody leads.
    let (seat, ()) = tokio::join!(throne.lead(), leader.end());

    let other = scene.replica(&fleet);
    other.carry_out(held, success(task(0))).await;
    scene.wait_for_kind(build(1), "task_completed").await;
    assert!(other.nothing_is_offered().await, "giving out what follows is for the leader");
    drop(seat);
    assert_eq!(other.take().await.order().build, build(1));
    other.end().await;
}

#[tokio::test]
async fn when_leadership_passes_the_next_leader_goes_on() {
    let scene = Scene::new().await;
    let throne = Throne::new();
    let fleet = Fleet::new(throne.clone(), Settings::default());
    let (one, two) = (scene.replica(&fleet), scene.replica(&fleet));
    one.give(build(1), submit(None)).await;
    let _executor = one.executor(2);
    let toppling = async {
        loop {
            throne.topple();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = toppling => {}
        () = scene.wait_for_kind(build(1), "build_completed") => {}
    }
    let completed = scene.kinds(build(1)).await.iter().filter(|kind| **kind == "task_completed").count();
    assert_eq!(completed, 4);
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn who_leads_no_more_gives_out_nothing() {
    let scene = Scene::new().await;
    let throne = Throne::new();
    let fleet = Fleet::new(throne.clone(), Settings::default());
    let one = scene.replica(&fleet);
    until(|| one.gauges.snapshot().leading).await;
    let two = scene.replica(&fleet);
    throne.topple();
    until(|| two.gauges.snapshot().leading).await;
    until(|| !one.gauges.snapshot().leading).await;

    // The one that leads finds its log away, the other does nothing about it.
    two.store.down(true);
    one.give(build(1), submit(diamond())).await;
    assert!(one.nothing_is_offered().await);
    two.store.down(false);
    assert_eq!(one.take().await.order().work, task(0));
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn a_new_leader_arms_deadlines_and_waits_again() {
    let scene = Scene::new().await;
    let throne = Throne::new();
    let fleet = Fleet::new(throne.clone(), Settings::default());
    let one = scene.replica(&fleet);
    one.give(build(1), submit_within(2, diamond())).await;
    let first = one.take().await;
    one.carry_out(first, failure(FailureClass::RateLimited, "slower, please")).await;
    scene.wait_for_kind(build(1), "task_failed").await;

    one.end().await;
    let two = scene.replica(&fleet);
    assert!(two.nothing_is_offered().await);
    scene.clock.advance(1);
    let second = two.take().await;
    assert_eq!(second.order().attempt, Attempt(2));
    scene.clock.advance(1);
    soon(second.revoked().cancelled()).await;
    assert_eq!(scene.state(build(1)).await.status, BuildStatus::Failed);
    two.end().await;
}

#[tokio::test]
async fn two_that_lead_at_once_do_no_harm() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, Settings::default());
    let (one, two) = (scene.replica(&fleet), scene.replica(&fleet));
    one.give(build(1), submit(independent(30))).await;
    let _executor = one.executor(3);
    scene.wait_for_kind(build(1), "build_completed").await;
    let completed = scene.kinds(build(1)).await.iter().filter(|kind| **kind == "task_completed").count();
    assert_eq!(completed, 30);
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn a_lost_attempt_is_withdrawn_before_the_next_one_is_given_out() {
    let scene = Scene::new().await;
    let fleet = Fleet::new(Alone, Settings::default());
    let replica = scene.replica(&fleet);
    replica.give(build(1), submit(diamond())).await;
    let first = replica.take().await;
    replica.started(first.order()).await;
    // Somebody else was given the order too.
    replica.lost(first.order()).await;
    soon(first.revoked().cancelled()).await;
    assert!(fleet.queue.was_revoked(build(1), task(0), Attempt(1)));
    let second = replica.take().await;
    assert_eq!(second.order().attempt, Attempt(2));

    replica.finished(first.order(), success(task(0))).await;
    replica.lost(first.order()).await;
    replica.carry_out(second, success(task(0))).await;
    scene.wait_for_kind(build(1), "task_completed").await;
    let events = scene.events(build(1)).await;
    let done = events.iter().find_map(|event| match event {
        BuildEvent::TaskCompleted(done) => Some(done.attempt),
        _ => None,
    });
    assert_eq!(done, Some(Attempt(2)), "the old attempt's outcome, arriving late, changes nothing");
    replica.end().await;
}

#[tokio::test]
async fn a_new_leader_withdraws_what_the_one_before_did_not_come_to() {
    let scene = Scene::new().await;
    let throne = Throne::new();
    let fleet = Fleet::new(throne, Settings::default());
    let one = scene.replica(&fleet);
    one.give(build(1), submit(diamond())).await;
    one.give(build(2), submit(diamond())).await;
    let held = one.take_many(2).await;
    let (cancelled, lost): (Vec<_>, Vec<_>) =
        held.into_iter().partition(|lease| lease.order().build == build(1));
    // It dies after these are stored, and does nothing about them.
    one.store.down(true);
    let without_driver = scene.process();
    without_driver.give(build(1), cancel()).await;
    without_driver.give(build(2), lose(task(0))).await;
    without_driver.end().await;
    one.end().await;
    assert!(!cancelled[0].revoked().is_cancelled() && !lost[0].revoked().is_cancelled());

    let two = scene.replica(&fleet);
    soon(cancelled[0].revoked().cancelled()).await;
    soon(lost[0].revoked().cancelled()).await;
    assert_eq!(two.take().await.order().attempt, Attempt(2));
    two.end().await;
}
