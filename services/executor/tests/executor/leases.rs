//! Orders that were given out before, and reports that the bus refuses.

use crate::{crew::*, orders::*};
use async_trait::async_trait;
use buildwright_executor::{Reporting, Settings, Signals};
use domain::FailureClass;
use ports::{BusError, Confirmation, OutcomeBus, OutcomeReport, Received, TaskQueue};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
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
    assert_eq!(fleet.heard().await, Heard::Lost(domain::build::Work::Merge));
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
}
