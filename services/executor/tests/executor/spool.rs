//! Outcomes outlast the executor, the bus and the driver.

use crate::{crew::*, kept::*, orders::*};
use async_trait::async_trait;
use buildwright_executor::{OutcomeSpool, Settings, SpoolSettings};
use ports::{BusError, Confirmation, OutcomeBus, OutcomeReport, Received};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) fn often() -> Settings {
    let spool = SpoolSettings { republish: Duration::from_millis(50), ..SpoolSettings::default() };
    Settings { spool, farewell: Duration::from_millis(200), ..Settings::default() }
}

/// One that publishes again only when it is started again.
pub(crate) fn seldom() -> Settings {
    let hour = Duration::from_hours(1);
    let spool = SpoolSettings { republish: hour, longest_republish: hour, ..SpoolSettings::default() };
    Settings { spool, ..often() }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The driver confirms whatever comes.
async fn confirm_until_it_is_cleared(fleet: &Fleet, folder: &Path) {
    soon(async {
        while !kept(folder).is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(20), fleet.heard()).await;
        }
    })
    .await;
}

/// An executor that did task 1; its start is confirmed, its end is not.
pub(crate) async fn finished_unconfirmed(
    fleet: &Fleet,
    folder: &Path,
    settings: Settings,
) -> (Process, Received) {
    let it = fleet.spawn(folder, settings);
    it.hired.worker.let_go.add_permits(1);
    fleet.offer(number(1)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    let received = fleet.next().await;
    assert!(matches!(received.report, OutcomeReport::Finished { .. }));
    (it, received)
}

#[tokio::test]
async fn an_outcome_is_kept_until_it_is_confirmed() {
    let (fleet, folder) = (Fleet::new(), folder());
    let (it, received) = finished_unconfirmed(&fleet, folder.path(), seldom()).await;
    assert_eq!(kept(folder.path()), [received.report]);
    received.receipt.confirm(ports::Answer::Accepted).await;
    until_it_keeps(0, folder.path()).await;
    it.drain().await;
}

#[tokio::test]
async fn an_outcome_that_is_not_confirmed_is_published_again_and_again() {
    let (fleet, folder) = (Fleet::new(), folder());
    let (it, first) = finished_unconfirmed(&fleet, folder.path(), often()).await;
    // The driver has it, and takes its time.
    for _ in 0..3 {
        let again = fleet.next().await;
        assert_eq!(again.report, first.report);
        assert_eq!(kept(folder.path()).len(), 1);
    }
    confirm_until_it_is_cleared(&fleet, folder.path()).await;
    it.drain().await;
}

#[tokio::test]
async fn an_outcome_outlasts_a_crash_and_is_cleared_once_it_is_confirmed() {
    // Given an executor that died before its outcome was confirmed, on a bus that lost everything with it
    let (fleet, folder) = (Fleet::new(), folder());
    let (it, received) = finished_unconfirmed(&fleet, folder.path(), seldom()).await;
    it.kill();
    assert_eq!(kept(folder.path()).len(), 1);
    // When it starts again, twice, the first time without getting far
    let fleet = Fleet::new();
    let it = fleet.spawn(folder.path(), seldom());
    assert_eq!(fleet.next().await.report, received.report);
    it.kill();
    assert_eq!(kept(folder.path()), [received.report]);
    let fleet = Fleet::new();
    let it = fleet.spawn(folder.path(), seldom());
    // Then it is published again, and cleared without a trace
    assert_eq!(fleet.heard().await, Heard::Succeeded(number(1).work));
    until(|| files(folder.path()).is_empty()).await;
    assert_eq!(it.hired.worker.begun(), 0);
    it.drain().await;
}

#[tokio::test]
async fn an_outcome_that_nobody_confirms_at_the_end_stays_for_the_next_start() {
    let (fleet, folder) = (Fleet::new(), folder());
    let (it, _received) = finished_unconfirmed(&fleet, folder.path(), seldom()).await;
    it.drain().await;
    assert_eq!(kept(folder.path()).len(), 1);
}

#[tokio::test]
async fn an_outcome_that_the_disk_does_not_take_is_published_all_the_same() {
    let (fleet, parent) = (Fleet::new(), folder());
    let folder = parent.path().join("spool");
    let it = fleet.spawn(&folder, often());
    fleet.listed(|list| list.len() == 1).await;
    // The folder is gone: nothing can be written to it.
    fs::remove_dir(&folder).unwrap();
    it.hired.worker.let_go.add_permits(1);
    fleet.offer(number(1)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    let first = fleet.next().await;
    assert!(matches!(first.report, OutcomeReport::Finished { .. }));
    // It is even published again.
    let again = fleet.next().await;
    assert_eq!(again.report, first.report);
    again.receipt.confirm(ports::Answer::Accepted).await;
    it.hired.worker.let_go.add_permits(1);
    fleet.offer(number(2)).await;
    soon(async { while fleet.heard().await != Heard::Succeeded(number(2).work) {} }).await;
    it.drain().await;
}

/// A bus that fails while it is away, and loses every confirmation but those of the driver's second thoughts.
struct Flaky {
    inner: Arc<dyn OutcomeBus>,
    away: AtomicBool,
    forgetful: AtomicBool,
}

#[async_trait]
impl OutcomeBus for Flaky {
    async fn report(&self, report: OutcomeReport) -> Result<Confirmation, BusError> {
        if self.away.load(SeqCst) {
            return Err(BusError::Unavailable("away".into()));
        }
        let confirmation = self.inner.report(report).await?;
        if self.forgetful.load(SeqCst) {
            // The granting side is dropped: that cannot be learnt any more.
            return Ok(Confirmation::pair().1);
        }
        Ok(confirmation)
    }

    async fn reports(&self, limit: usize) -> Result<Vec<Received>, BusError> {
        self.inner.reports(limit).await
    }
}

pub(crate) fn report(n: u32) -> OutcomeReport {
    let order = number(n);
    let (build, work, attempt) = (order.build, order.work, order.attempt);
    OutcomeReport::Lost { build, work, attempt, executor: ports::ExecutorName("e1".into()) }
}

#[tokio::test]
async fn an_outcome_outlasts_an_outage_and_lost_confirmations() {
    let (fleet, folder) = (Fleet::new(), folder());
    let inner = Arc::new(fleet.outcomes.clone());
    let flaky = Arc::new(Flaky { inner, away: true.into(), forgetful: true.into() });
    let spool = OutcomeSpool::open(folder.path().to_owned(), flaky.clone(), often().spool).await.unwrap();
    let reporting = tokio::spawn({
        let spool = spool.clone();
        async move { spool.report(report(1)).await }
    });
    until_it_keeps(1, folder.path()).await;
    assert!(!reporting.is_finished(), "the bus has not got it");
    flaky.away.store(false, SeqCst);
    soon(reporting).await.unwrap().unwrap();
    for _ in 0..2 {
        assert_eq!(fleet.heard().await, Heard::Lost(number(1).work));
    }
    assert_eq!(kept(folder.path()).len(), 1, "confirmed, but that got lost");
    flaky.forgetful.store(false, SeqCst);
    confirm_until_it_is_cleared(&fleet, folder.path()).await;
    spool.close(Duration::ZERO).await;
}

#[tokio::test]
async fn the_time_between_two_publications_doubles_up_to_a_bound() {
    let (fleet, folder) = (Fleet::new(), folder());
    let (republish, longest_republish) = (Duration::from_millis(20), Duration::from_millis(80));
    let settings = SpoolSettings { republish, longest_republish, ..SpoolSettings::default() };
    let bus = Arc::new(fleet.outcomes.clone());
    let begun = Instant::now();
    let spool = OutcomeSpool::open(folder.path().to_owned(), bus, settings).await.unwrap();
    spool.report(report(1)).await.unwrap();
    let mut held = Vec::new();
    for waited in [0, 20, 20 + 40, 20 + 40 + 80, 20 + 40 + 80 + 80] {
        held.push(fleet.next().await);
        assert!(begun.elapsed() >= Duration::from_millis(waited), "{:?}", begun.elapsed());
    }
    // Doubled without a bound, so many would take half a day.
    while held.len() < 20 {
        held.push(fleet.next().await);
    }
    spool.close(Duration::ZERO).await;
}

#[tokio::test]
async fn whoever_reports_waits_while_too_much_is_unconfirmed() {
    let (fleet, folder) = (Fleet::new(), folder());
    let settings = SpoolSettings { unconfirmed: 2, ..seldom().spool };
    let bus = Arc::new(fleet.outcomes.clone());
    let spool = OutcomeSpool::open(folder.path().to_owned(), bus, settings).await.unwrap();
    spool.report(report(1)).await.unwrap();
    spool.report(report(2)).await.unwrap();
    let third = tokio::spawn({
        let spool = spool.clone();
        async move { spool.report(report(3)).await }
    });
    // It is safe on the disk all the same.
    until_it_keeps(3, folder.path()).await;
    assert!(!third.is_finished());
    assert_eq!(fleet.heard().await, Heard::Lost(number(1).work));
    soon(third).await.unwrap().unwrap();
    spool.close(Duration::ZERO).await;
}
