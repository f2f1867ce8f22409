//! Orders that were given out before, and reports that the bus refuses.

use crate::{crew::*, kept::files, orders::*};
use async_trait::async_trait;
use buildwright_executor::{Reporting, Settings, Signals};
use domain::{
    BuildId, FailureClass,
    build::{Attempt, Work},
};
use ports::{
    Answer, BusError, Confirmation, Handout, Lease, Offered, OutcomeBus, OutcomeReport, Received, TaskQueue,
    WorkOrder,
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

#[tokio::test]
async fn an_order_that_was_taken_before_is_reported_lost_and_never_begun() {
    // Given an order that somebody took and did not settle
    let fleet = Fleet::new();
    fleet.offer(number(1)).await;
    drop(fleet.queue.take().await.unwrap());
    // When an executor gets it, and another one after it
    let it = fleet.hire(Settings { slots: 1, ..Settings::default() });
    fleet.offer(number(2)).await;
    it.worker.let_go.add_permits(2);
    // Then only the second is begun
    assert_eq!(fleet.heard().await, Heard::Lost(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Started(number(2).work));
    assert_eq!(fleet.heard().await, Heard::Succeeded(number(2).work));
    assert_eq!(it.worker.begun(), 1);
    it.stop().await;
    assert_eq!(fleet.queue.waiting(), 0, "both are settled");
}

#[tokio::test]
async fn a_merge_that_was_taken_before_is_lost_too() {
    let fleet = Fleet::new();
    fleet.offer(merge(1, Vec::new())).await;
    drop(fleet.queue.take().await.unwrap());
    let it = fleet.hire(Settings::default());
    assert_eq!(fleet.heard().await, Heard::Lost(Work::Merge));
    assert_eq!(it.worker.begun(), 0);
    it.stop().await;
}

/// A bus that refuses.
struct Refusing {
    inner: Arc<dyn OutcomeBus>,
    refusal: fn(&OutcomeReport) -> Option<BusError>,
    refused: AtomicUsize,
}

impl Refusing {
    fn new(fleet: &Fleet, refusal: fn(&OutcomeReport) -> Option<BusError>) -> Arc<Self> {
        Arc::new(Self { inner: Arc::new(fleet.outcomes.clone()), refusal, refused: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl OutcomeBus for Refusing {
    async fn report(&self, report: OutcomeReport) -> Result<Confirmation, BusError> {
        if let Some(error) = (self.refusal)(&report) {
            self.refused.fetch_add(1, SeqCst);
            return Err(error);
        }
        self.inner.report(report).await
    }

    async fn reports(&self, limit: usize) -> Result<Vec<Received>, BusError> {
        self.inner.reports(limit).await
    }
}

#[tokio::test]
async fn a_bus_of_reports_that_is_closed_ends_the_loop() {
    let fleet = Fleet::new();
    let it = fleet.hire(Settings::default());
    fleet.outcomes.close();
    fleet.offer(number(1)).await;
    let worker = it.worker.clone();
    it.ended().await;
    assert_eq!(worker.begun(), 0);
}

#[tokio::test]
async fn a_refused_start_rests_before_its_order_goes_back() {
    let fleet = Fleet::new();
    let bus = Refusing::new(&fleet, |_| Some(BusError::TooLarge { bytes: 2, most: 1 }));
    let pause = Duration::from_millis(100);
    let settings = Settings { refusal_pause: pause, ..Settings::default() };
    let (worker, signals) = (Stub::new(), Signals::default());
    let executor = fleet.executor(&worker, settings, Reporting::Direct(Arc::clone(&bus) as _));
    let running = tokio::spawn(executor.run(signals.clone()));
    let offered = Instant::now();
    fleet.offer(number(1)).await;
    // It goes round, but not in circles as fast as it can.
    soon(async {
        while bus.refused.load(SeqCst) < 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(offered.elapsed() >= 3 * pause);
    assert_eq!(worker.begun(), 0);
    signals.stop.cancel();
    soon(running).await.unwrap();
}

#[tokio::test]
async fn an_outcome_that_is_too_large_for_the_bus_is_a_failure_that_says_so() {
    let fleet = Fleet::new();
    let bus = Refusing::new(&fleet, |report| match report {
        OutcomeReport::Finished { outcome, .. } if outcome.result.is_ok() => {
            Some(BusError::TooLarge { bytes: 2, most: 1 })
        }
        _ => None,
    });
    let folder = tempfile::tempdir().unwrap();
    let it = fleet.spawn_over(folder.path(), Settings::default(), bus);
    it.hired.worker.let_go.add_permits(1);
    fleet.offer(number(1)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Failed(number(1).work, FailureClass::Internal));
    it.drain().await;
    assert_eq!(fleet.queue.waiting(), 0);
    // What nobody can publish is there for people to read.
    let set_aside = files(folder.path()).into_iter().find(|name| name.starts_with("set-aside-")).unwrap();
    let set_aside = OutcomeReport::decode(&fs::read(folder.path().join(set_aside)).unwrap()).unwrap();
    assert_eq!(Heard::from(set_aside), Heard::Succeeded(number(1).work));
}

/// A queue whose leases run out when a story wants it, and which may not know whether it gave them out before.
struct RunningOut {
    inner: bus_local::LocalQueue,
    out: Arc<AtomicBool>,
    forgetful: bool,
}

struct RunOut(Box<dyn Lease>, Arc<AtomicBool>, bool);

#[async_trait]
impl Lease for RunOut {
    fn order(&self) -> &WorkOrder {
        self.0.order()
    }

    fn revoked(&self) -> tokio_util::sync::CancellationToken {
        self.0.revoked()
    }

    fn is_lost(&self) -> bool {
        self.1.load(SeqCst)
    }

    fn handout(&self) -> Handout {
        if self.2 { Handout::Unknown } else { self.0.handout() }
    }

    async fn leave(self: Box<Self>) {
        self.0.leave().await;
    }

    async fn settle(self: Box<Self>) {
        self.0.settle().await;
    }
}

#[async_trait]
impl TaskQueue for RunningOut {
    async fn offer(&self, order: WorkOrder) -> Result<Offered, BusError> {
        self.inner.offer(order).await
    }

    async fn take(&self) -> Result<Box<dyn Lease>, BusError> {
        let lease = self.inner.take().await?;
        Ok(Box::new(RunOut(lease, Arc::clone(&self.out), self.forgetful)))
    }

    async fn has(&self, order: &WorkOrder) -> Result<bool, BusError> {
        self.inner.has(order).await
    }

    fn forget(&self, build: BuildId) {
        self.inner.forget(build);
    }

    fn revoke(&self, build: BuildId, work: Work, attempt: Attempt) {
        self.inner.revoke(build, work, attempt);
    }
}

/// An executor on such a queue, with the switch that makes its leases run out.
fn hire_on_leases_that_run_out(fleet: &Fleet) -> (Hired, Arc<AtomicBool>) {
    hire_on(fleet, false)
}

fn hire_on(fleet: &Fleet, forgetful: bool) -> (Hired, Arc<AtomicBool>) {
    let out = Arc::new(AtomicBool::new(false));
    let (worker, signals) = (Stub::new(), Signals::default());
    let direct = Reporting::Direct(Arc::new(fleet.outcomes.clone()));
    let mut executor = fleet.executor(&worker, Settings::default(), direct);
    executor.queue = Arc::new(RunningOut { inner: fleet.queue.clone(), out: Arc::clone(&out), forgetful });
    let running = tokio::spawn(executor.run(signals.clone()));
    (Hired { worker, signals, running }, out)
}

#[tokio::test]
async fn what_ends_after_its_lease_ran_out_is_not_reported() {
    let fleet = Fleet::new();
    let (it, out) = hire_on_leases_that_run_out(&fleet);
    fleet.offer(number(1)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    it.worker.wait_until_at_work(1).await;
    out.store(true, SeqCst);
    it.worker.let_go.add_permits(1);
    // As far as the bus knows it is dead: whoever holds the order now says so.
    assert_eq!(fleet.heard().await, Heard::Lost(number(1).work));
    it.stop().await;
}

#[tokio::test]
async fn an_attempt_whose_lease_ran_out_before_its_start_was_reported_is_not_begun() {
    let fleet = Fleet::new();
    let (it, out) = hire_on_leases_that_run_out(&fleet);
    out.store(true, SeqCst);
    fleet.offer(number(1)).await;
    assert_eq!(fleet.heard().await, Heard::Started(number(1).work));
    assert_eq!(fleet.heard().await, Heard::Lost(number(1).work));
    assert_eq!(it.worker.begun(), 0);
    it.stop().await;
}

#[tokio::test]
async fn what_may_have_begun_elsewhere_begins_when_the_driver_says_so() {
    // Given a queue that may have forgotten whom it gave its orders
    let fleet = Fleet::new();
    let (it, _) = hire_on(&fleet, true);
    for (n, answer) in [(1, Answer::Refused), (2, Answer::Accepted)] {
        // When an order comes
        fleet.offer(number(n)).await;
        // Then it is asked for
        let asked = soon(fleet.outcomes.reports(1)).await.unwrap().remove(0);
        assert!(matches!(asked.report, OutcomeReport::Started { work, .. } if work == number(n).work));
        assert_eq!(it.worker.begun(), 0);
        asked.receipt.confirm(answer).await;
    }
    // And only what may is begun.
    it.worker.let_go.add_permits(2);
    assert_eq!(fleet.heard().await, Heard::Succeeded(number(2).work));
    assert_eq!(it.worker.begun(), 1);
    it.stop().await;
}
