//! An executor that is told to drain lets what runs finish, and hands back what does not.

use crate::{crew::*, orders::*};
use buildwright_executor::Settings;
use ports::{ExecutorState, OutcomeBus, OutcomeReport, TaskQueue};
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

fn with_grace(grace: Duration) -> Settings {
    Settings { slots: 2, grace, farewell: Duration::from_secs(20), ..Settings::default() }
}

#[tokio::test]
async fn what_runs_may_finish_within_the_grace_and_nothing_new_is_begun() {
    let (fleet, folder) = (Fleet::new(), tempfile::tempdir().unwrap());
    let it = fleet.spawn(folder.path(), with_grace(LONG));
    fleet.offer(number(1)).await;
    fleet.offer(number(2)).await;
    it.hired.worker.wait_until_at_work(2).await;
    let worker = it.hired.worker.clone();
    it.hired.signals.drain.cancel();
    fleet.listed(|list| list.iter().any(|one| one.state == ExecutorState::Draining)).await;
    fleet.offer(number(3)).await;
    worker.let_go.add_permits(2);
    let driver = tokio::spawn({
        let fleet = fleet.clone();
        async move {
            let mut heard = Vec::new();
            while heard.len() < 4 {
                heard.push(fleet.heard().await);
            }
            heard
        }
    });
    it.drain().await;
    let heard = soon(driver).await.unwrap();
    for n in [1, 2] {
        assert!(heard.contains(&Heard::Succeeded(number(n).work)), "{heard:?}");
    }
    assert_eq!(worker.begun(), 2);
    assert_eq!(fleet.queue.waiting(), 1, "the third is for others");
    assert!(!fleet.queue.take().await.unwrap().was_taken_before());
    // Everything was confirmed before it returned, and it is off the list.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    fleet.listed(<[_]>::is_empty).await;
}

#[tokio::test]
async fn what_does_not_finish_within_the_grace_is_handed_back() {
    let (fleet, folder) = (Fleet::new(), tempfile::tempdir().unwrap());
    let it = fleet.spawn(folder.path(), with_grace(Duration::from_millis(20)));
    fleet.offer(number(1)).await;
    it.hired.worker.wait_until_at_work(1).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    let driver = tokio::spawn({
        let fleet = fleet.clone();
        async move { fleet.heard().await }
    });
    let worker = it.hired.worker.clone();
    it.drain().await;
    assert_eq!(soon(driver).await.unwrap(), Heard::Lost(number(1).work));
    assert_eq!(worker.at_work.borrow().0, 0, "nothing goes on when it has returned");
    assert_eq!(fleet.queue.waiting(), 0, "the order is settled: the next attempt has its own");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_a_handed_back_attempt_had_cost_is_told() {
    let fleet = Fleet::new();
    let it = fleet.hire(with_grace(Duration::from_millis(20)));
    it.worker.spend(7);
    fleet.offer(number(1)).await;
    it.worker.wait_until_at_work(1).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    it.signals.drain.cancel();
    it.ended().await;
    let OutcomeReport::Finished { outcome, .. } = fleet.next().await.report else {
        panic!("its cost is not told");
    };
    assert_eq!(outcome.usage.total().cost_nano_usd, 7);
    assert_eq!(outcome.result.unwrap_err().class, domain::FailureClass::Lost);
}

#[tokio::test]
async fn a_second_signal_ends_the_grace_without_a_report() {
    let (fleet, folder) = (Fleet::new(), tempfile::tempdir().unwrap());
    let it = fleet.spawn(folder.path(), with_grace(LONG));
    fleet.offer(number(1)).await;
    it.hired.worker.wait_until_at_work(1).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    it.hired.signals.drain.cancel();
    it.hired.signals.stop.cancel();
    it.drain().await;
    // Whoever takes it next sees that it was begun.
    assert!(soon(fleet.queue.take()).await.unwrap().was_taken_before());
    fleet.outcomes.close();
    assert!(fleet.outcomes.reports(1).await.is_err(), "nothing was reported");
}

#[tokio::test]
async fn a_revoked_attempt_is_no_attempt_to_hand_back() {
    let fleet = Fleet::new();
    let it = fleet.hire(with_grace(LONG));
    fleet.offer(number(1)).await;
    it.worker.wait_until_at_work(1).await;
    it.signals.drain.cancel();
    fleet.queue.forget(build(1));
    it.ended().await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Failed(number(1).work, domain::FailureClass::Lost));
}

#[tokio::test]
async fn a_bus_that_takes_no_reports_does_not_keep_an_executor_for_ever() {
    let fleet = Fleet::new();
    let farewell = Duration::from_millis(100);
    let it = fleet.hire(Settings { farewell, ..with_grace(Duration::ZERO) });
    fleet.offer(number(1)).await;
    it.worker.wait_until_at_work(1).await;
    // The driver is so far behind that there is no room for a report.
    fill(&fleet).await;
    it.signals.drain.cancel();
    it.ended().await;
    assert_eq!(fleet.queue.waiting(), 1, "it was not reported, so it was not settled");
}

async fn fill(fleet: &Fleet) {
    let order = number(9);
    let (build, work, attempt) = (order.build, order.work, order.attempt);
    let report =
        ports::OutcomeReport::Lost { build, work, attempt, executor: ports::ExecutorName("x".into()) };
    let mut more = true;
    while more {
        let room = fleet.outcomes.report(report.clone());
        more = tokio::time::timeout(Duration::from_millis(100), room).await.is_ok();
    }
}
