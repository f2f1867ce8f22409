//! What the roster is told, and the breaker before the model.

use crate::{crew::*, orders::*};
use buildwright_executor::{BreakerSettings, Settings};
use domain::FailureClass;
use ports::{BreakerState, ExecutorName, ExecutorState};
use std::{num::NonZeroU32, time::Duration};

/// It speaks only when something changes.
fn silent() -> Settings {
    let gap = Duration::from_millis(1);
    Settings { slots: 3, heartbeat: Duration::from_hours(1), announcement_gap: gap, ..Settings::default() }
}

fn breaking(cool_down: Duration) -> Settings {
    let (threshold, longest_cool_down) = (NonZeroU32::new(2), cool_down);
    let breaker = BreakerSettings { threshold, cool_down, longest_cool_down };
    Settings { slots: 1, breaker, ..silent() }
}

#[tokio::test]
async fn an_executor_tells_who_it_is_and_what_it_is_at_until_it_leaves() {
    let fleet = Fleet::new();
    let it = fleet.hire(silent());
    let list = fleet.listed(|list| list.len() == 1).await;
    let [status] = &list[..] else { panic!("one") };
    assert_eq!(status.name, ExecutorName("e1".into()));
    assert_eq!((&*status.version, status.slots), ("1.2.3", 3));
    assert_eq!((status.pool.to_string(), status.labels[0].to_string()), ("large".into(), "gpu".into()));
    assert_eq!((status.state, &status.breaker), (ExecutorState::Working, &BreakerState::Closed));
    assert!(status.running.is_empty());

    fleet.offer(number(1)).await;
    fleet.offer(number(2)).await;
    let list = fleet.listed(|list| list[0].running.len() == 2).await;
    let running: Vec<_> = list[0].running.iter().map(|one| (one.build, one.work, one.since)).collect();
    assert_eq!(running, [1, 2].map(|n| (build(1), number(n).work, noon())));
    it.worker.let_go.add_permits(2);
    fleet.listed(|list| list[0].running.is_empty()).await;

    it.stop().await;
    fleet.listed(<[_]>::is_empty).await;
}

#[tokio::test]
async fn an_executor_that_has_nothing_to_tell_still_speaks_up() {
    use ports::Roster;
    let fleet = Fleet::new();
    let it = fleet.hire(Settings { heartbeat: Duration::from_millis(20), ..silent() });
    fleet.listed(|list| list.len() == 1).await;
    // Whoever was taken off the list is there again with the next heartbeat.
    fleet.roster.leave(&ExecutorName("e1".into())).await;
    fleet.listed(|list| list.len() == 1).await;
    it.stop().await;
}

async fn fails(fleet: &Fleet, it: &Hired, n: u32, class: FailureClass) {
    it.worker.fail(Some(class));
    it.worker.let_go.add_permits(1);
    fleet.offer(asking(n)).await;
    assert_eq!(fleet.heard().await, Heard::Started(asking(n).work));
    assert_eq!(fleet.heard().await, Heard::Failed(asking(n).work, class));
}

#[tokio::test]
async fn a_model_that_cannot_be_used_opens_the_breaker_and_nothing_is_taken() {
    let fleet = Fleet::new();
    let it = fleet.hire(Settings { slots: 2, ..breaking(Duration::from_hours(1)) });
    fails(&fleet, &it, 1, FailureClass::ModelError).await;
    fails(&fleet, &it, 2, FailureClass::RateLimited).await;
    let open = |state: &BreakerState| matches!(state, BreakerState::Open { .. });
    let list = fleet.listed(|list| list.iter().any(|one| open(&one.breaker))).await;
    let BreakerState::Open { until, reason } = &list[0].breaker else { panic!("open") };
    assert_eq!(reason, "rate_limited");
    assert!(*until > noon());

    // With its other slot it was waiting for an order when the breaker opened, and takes none.
    fleet.offer(asking(3)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((fleet.queue.waiting(), it.worker.begun()), (1, 2));
    it.stop().await;
}

#[tokio::test]
async fn after_the_cool_down_one_attempt_decides() {
    let fleet = Fleet::new();
    let it = fleet.hire(Settings { slots: 3, ..breaking(Duration::from_millis(100)) });
    for n in [1, 2] {
        fails(&fleet, &it, n, FailureClass::Credential).await;
    }
    // Given more orders than one, only one is tried, and fails
    for n in [3, 4, 5] {
        fleet.offer(asking(n)).await;
    }
    it.worker.wait_until_at_work(1).await;
    fleet.listed(|list| list[0].breaker == BreakerState::HalfOpen).await;
    assert_eq!((fleet.queue.waiting(), it.worker.begun()), (2, 3));
    it.worker.let_go.add_permits(1);
    // then the next one is, and its success lets all the others begin.
    it.worker.wait_until_begun(4).await;
    assert_eq!((fleet.queue.waiting(), it.worker.begun()), (1, 4));
    it.worker.fail(None);
    it.worker.let_go.add_permits(1);
    fleet.listed(|list| list[0].breaker == BreakerState::Closed).await;
    it.worker.wait_until_begun(5).await;
    it.stop().await;
}

#[tokio::test]
async fn tasks_that_fail_by_themselves_leave_the_breaker_closed() {
    let fleet = Fleet::new();
    let it = fleet.hire(breaking(Duration::from_hours(1)));
    let others = [FailureClass::CheckFailed, FailureClass::Crashed, FailureClass::Timeout];
    for (n, class) in (1..).zip(others.iter().cycle().take(9)) {
        fails(&fleet, &it, n, *class).await;
    }
    assert_eq!(it.worker.begun(), 9);
    it.stop().await;
}

#[tokio::test]
async fn commands_say_nothing_of_the_model() {
    let fleet = Fleet::new();
    let it = fleet.hire(breaking(Duration::from_hours(1)));
    fails(&fleet, &it, 1, FailureClass::ModelError).await;
    it.worker.fail(None);
    it.worker.let_go.add_permits(1);
    fleet.offer(number(2)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(2).work));
    assert_eq!(fleet.heard().await, Heard::Succeeded(number(2).work));
    // The success between them does not count.
    fails(&fleet, &it, 3, FailureClass::ModelError).await;
    fleet.listed(|list| matches!(list[0].breaker, BreakerState::Open { .. })).await;
    it.stop().await;
}
