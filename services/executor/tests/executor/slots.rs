//! The loop: leases, slots and reports, with a worker that does what a story says.

use crate::{crew::*, orders::*};
use buildwright_executor::Settings;
use domain::{FailureClass, build::Work};
use ports::{OutcomeBus, OutcomeReport, TaskQueue};
use std::time::{Duration, Instant};

fn slots(slots: u32) -> Settings {
    Settings { slots, ..Settings::default() }
}

#[tokio::test]
async fn no_more_is_done_at_once_than_there_are_slots() {
    let fleet = Fleet::new();
    let it = fleet.hire(slots(3));
    for n in 20..30 {
        fleet.offer(number(n)).await;
    }
    it.worker.wait_until_at_work(3).await;
    assert_eq!(fleet.queue.waiting(), 7);
    it.worker.let_go.add_permits(10);
    let mut finished = 0;
    while finished < 10 {
        finished += usize::from(matches!(fleet.heard().await, Heard::Succeeded(_)));
    }
    assert_eq!(it.worker.at_work.borrow().1, 3);
    assert_eq!(fleet.queue.waiting(), 0);
    it.stop().await;
}

#[tokio::test]
async fn a_start_is_reported_before_an_end_but_of_merging_only_the_end() {
    let fleet = Fleet::new();
    let it = fleet.hire(slots(1));
    it.worker.let_go.add_permits(2);
    fleet.offer(number(1)).await;
    fleet.offer(merge(1, Vec::new())).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Succeeded(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Succeeded(Work::Merge));
    it.stop().await;
}

#[tokio::test]
async fn a_slot_rests_after_a_lack_of_resources_and_ends_its_rest_when_it_has_to_end() {
    let fleet = Fleet::new();
    let rest = Duration::from_millis(300);
    let it = fleet.hire(Settings { resource_pause: rest, ..slots(1) });
    it.worker.fail(Some(FailureClass::Resource));
    it.worker.let_go.add_permits(3);
    let began = Instant::now();
    for n in 1..=3 {
        fleet.offer(number(n)).await;
    }
    for n in 1..=3 {
        assert_eq!(fleet.heard().await, Heard::Started(number(n).work));
        assert_eq!(fleet.heard().await, Heard::Failed(number(n).work, FailureClass::Resource));
    }
    assert!(began.elapsed() >= 2 * rest, "{:?}", began.elapsed());
    it.stop().await;

    let it = fleet.hire(Settings { resource_pause: Duration::from_hours(1), ..slots(1) });
    it.worker.fail(Some(FailureClass::Resource));
    it.worker.let_go.add_permits(1);
    fleet.offer(number(4)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(4).work));
    assert_eq!(fleet.heard().await, Heard::Failed(number(4).work, FailureClass::Resource));
    it.stop().await;
}

#[tokio::test]
async fn a_worker_that_panics_is_a_failed_attempt_and_its_slot_is_free_again() {
    let fleet = Fleet::new();
    let it = fleet.hire(slots(1));
    it.worker.let_go.add_permits(1);
    fleet.offer(number(13)).await;
    fleet.offer(number(1)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(13).work));
    assert_eq!(fleet.heard().await, Heard::Failed(number(13).work, FailureClass::Internal));
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Succeeded(number(1).work));
    it.stop().await;
}

#[tokio::test]
async fn what_is_stopped_is_not_reported_and_its_lease_is_given_back() {
    let fleet = Fleet::new();
    let it = fleet.hire(slots(2));
    fleet.offer(number(1)).await;
    fleet.offer(number(2)).await;
    it.worker.wait_until_at_work(2).await;
    let worker = it.worker.clone();
    it.stop().await;

    assert_eq!(worker.at_work.borrow().0, 0, "nothing goes on when it has returned");
    assert_eq!(fleet.queue.waiting(), 2);
    let reports = fleet.outcomes.reports(100).await.unwrap();
    assert!(reports.iter().all(|one| matches!(one.report, OutcomeReport::Started { .. })));
    // Whoever comes after is not stopped by what stopped this one.
    let again = soon(fleet.queue.take()).await.unwrap();
    assert!(!again.revoked().is_cancelled());
}

#[tokio::test]
async fn a_revoked_attempt_is_stopped_and_still_tells_how_it_ended() {
    let fleet = Fleet::new();
    let it = fleet.hire(slots(1));
    fleet.offer(number(1)).await;
    it.worker.wait_until_at_work(1).await;
    fleet.queue.forget(build(1));
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Failed(number(1).work, FailureClass::Lost));
    assert_eq!(fleet.queue.waiting(), 0, "nobody wants it back");
    it.stop().await;
}

#[tokio::test]
async fn a_queue_that_closes_ends_the_loop() {
    let fleet = Fleet::new();
    let it = fleet.hire(slots(1));
    fleet.queue.close();
    // The one that already waits is woken by it, too.
    it.ended().await;
}
