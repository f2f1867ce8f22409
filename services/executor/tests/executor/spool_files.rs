//! What a spool leaves on the disk, whatever befalls it.

use crate::{crew::*, kept::*, orders::*, spool::*};
use async_trait::async_trait;
use buildwright_executor::{OutcomeSpool, SpoolSettings};
use ports::{Answer, BusError, Confirmation, ExecutorName, OutcomeBus, OutcomeReport, Received};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use testkit::SmallDisk;
use tokio::{runtime::Runtime, task::JoinHandle};

/// A spool in a process of its own, as far as a test can have one.
struct Life {
    runtime: Runtime,
    spool: OutcomeSpool,
}

impl Life {
    async fn begin(folder: &Path, settings: SpoolSettings, bus: Arc<dyn OutcomeBus>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let spool = runtime.spawn(OutcomeSpool::open(folder.to_owned(), bus, settings)).await.unwrap();
        Self { runtime, spool: spool.unwrap() }
    }

    /// One that publishes again only when it is started again.
    async fn on(fleet: &Fleet, folder: &Path) -> Self {
        Self::begin(folder, seldom().spool, Arc::new(fleet.outcomes.clone())).await
    }

    fn reports(&self, report: OutcomeReport) -> JoinHandle<Result<(), BusError>> {
        let spool = self.spool.clone();
        self.runtime.spawn(async move { spool.report(report).await })
    }

    async fn reported(&self, report: OutcomeReport) {
        soon(self.reports(report)).await.unwrap().unwrap();
    }

    /// It dies: nothing is closed.
    fn kill(self) {
        self.runtime.shutdown_background();
    }
}

/// Reports about tasks 1 to `count`, one after the other, on a bus whose driver confirms none, and then a crash.
async fn left_by_a_crash(count: u32, folder: &Path) {
    let fleet = Fleet::new();
    let life = Life::on(&fleet, folder).await;
    for n in 1..=count {
        life.reported(report(n)).await;
    }
    life.kill();
}

/// The next reports, confirmed, in any order.
async fn heard(count: usize, fleet: &Fleet) -> BTreeSet<String> {
    let mut heard = BTreeSet::new();
    for _ in 0..count {
        let Received { report, receipt } = fleet.next().await;
        receipt.confirm(Answer::Accepted).await;
        assert!(heard.insert(report.about().1.to_string()), "{report:?} came twice");
    }
    heard
}

fn tasks(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
    numbers.into_iter().map(|n| number(n).work.to_string()).collect()
}

fn only_segment(folder: &Path) -> PathBuf {
    let [name] = &segments(folder)[..] else { panic!("{:?}", files(folder)) };
    folder.join(name)
}

#[tokio::test]
async fn reports_made_at_the_same_time_are_all_kept() {
    let (fleet, folder) = (Fleet::new(), folder());
    let life = Life::on(&fleet, folder.path()).await;
    let reports: Vec<_> = (0..200).map(|n| life.reports(report(n))).collect();
    for reported in reports {
        soon(reported).await.unwrap().unwrap();
    }
    assert_eq!(kept(folder.path()).len(), 200);
    life.kill();

    let fleet = Fleet::new();
    let life = Life::on(&fleet, folder.path()).await;
    assert_eq!(heard(200, &fleet).await, tasks(0..200));
    until(|| files(folder.path()).is_empty()).await;
    life.kill();
}

/// A bus that looks into the log when it is given a report.
struct Witness {
    folder: PathBuf,
    seen: AtomicUsize,
}

#[async_trait]
impl OutcomeBus for Witness {
    async fn report(&self, report: OutcomeReport) -> Result<Confirmation, BusError> {
        if kept(&self.folder).contains(&report) {
            self.seen.fetch_add(1, SeqCst);
        }
        Ok(Confirmation::pair().1)
    }

    async fn reports(&self, _: usize) -> Result<Vec<Received>, BusError> {
        Err(BusError::Closed)
    }
}

#[tokio::test]
async fn a_report_is_in_the_log_before_the_bus_gets_it() {
    let folder = folder();
    let bus = Arc::new(Witness { folder: folder.path().to_owned(), seen: AtomicUsize::new(0) });
    let life = Life::begin(folder.path(), seldom().spool, Arc::clone(&bus) as _).await;
    for n in 0..20 {
        life.reported(report(n)).await;
    }
    assert_eq!(bus.seen.load(SeqCst), 20);
    life.kill();
}

#[tokio::test]
async fn whatever_was_reported_before_a_kill_is_published_by_the_next_start() {
    // Given many that report, and a kill in the midst of it
    let (fleet, folder) = (Fleet::new(), folder());
    let life = Life::on(&fleet, folder.path()).await;
    let reports: Vec<_> = (0..250).map(|n| (n, life.reports(report(n)))).collect();
    until(|| reports.iter().any(|(_, reported)| reported.is_finished())).await;
    life.kill();
    let mut reported = Vec::new();
    for (n, report) in reports {
        if let Ok(Ok(())) = soon(report).await {
            reported.push(n);
        }
    }
    assert!(!reported.is_empty());
    // When it starts again
    let fleet = Fleet::new();
    let life = Life::on(&fleet, folder.path()).await;
    // Then nothing that was acknowledged is missing
    let mut missing = tasks(reported);
    while !missing.is_empty() {
        let next = fleet.next().await;
        missing.remove(&next.report.about().1.to_string());
        next.receipt.confirm(Answer::Accepted).await;
    }
    life.kill();
}

#[tokio::test]
async fn what_is_confirmed_is_not_published_by_the_next_start() {
    // Given three reports in one file, of which two are confirmed
    let (fleet, folder) = (Fleet::new(), folder());
    let life = Life::on(&fleet, folder.path()).await;
    let mut receipts = Vec::new();
    for n in 1..=3 {
        life.reported(report(n)).await;
        receipts.push(fleet.next().await.receipt);
    }
    let second = receipts.remove(1);
    for receipt in receipts {
        receipt.confirm(Answer::Accepted).await;
    }
    until(|| kept(folder.path()) == [report(2)]).await;
    life.kill();
    drop(second);
    // When it starts again, and reports another
    let fleet = Fleet::new();
    let life = Life::on(&fleet, folder.path()).await;
    life.reported(report(4)).await;
    // Then that is all there is besides the one
    assert_eq!(heard(2, &fleet).await, tasks([2, 4]));
    until_it_keeps(0, folder.path()).await;
    life.kill();
}

#[tokio::test]
async fn a_file_goes_when_it_is_full_and_all_in_it_are_confirmed() {
    // Given files that have room for one report
    let (fleet, folder) = (Fleet::new(), folder());
    let settings = SpoolSettings { segment_bytes: 1, ..seldom().spool };
    let life = Life::begin(folder.path(), settings, Arc::new(fleet.outcomes.clone())).await;
    let mut receipts = Vec::new();
    for n in 1..=5 {
        life.reported(report(n)).await;
        receipts.push(fleet.next().await.receipt);
    }
    assert_eq!(segments(folder.path()).len(), 5);
    // When all but the second are confirmed
    let second = receipts.remove(1);
    for receipt in receipts {
        receipt.confirm(Answer::Accepted).await;
    }
    // Then its file is what is left, and goes with it
    until(|| segments(folder.path()) == ["outcomes-2.log"]).await;
    assert_eq!(kept(folder.path()), [report(2)]);
    second.confirm(Answer::Accepted).await;
    until(|| files(folder.path()).is_empty()).await;
    life.kill();
}

#[tokio::test]
async fn the_disk_holds_no_more_than_one_file_of_confirmed_reports() {
    let (fleet, folder) = (Fleet::new(), folder());
    let settings = SpoolSettings { segment_bytes: 4096, ..seldom().spool };
    let life = Life::begin(folder.path(), settings, Arc::new(fleet.outcomes.clone())).await;
    for n in 0..200 {
        life.reported(report(n)).await;
        assert_eq!(fleet.heard().await, Heard::Lost(number(n).work));
        until_it_keeps(0, folder.path()).await;
    }
    until(|| segments(folder.path()).len() <= 1).await;
    let bytes: u64 = segments(folder.path()).iter().map(|name| size(&folder.path().join(name))).sum();
    assert!(bytes < 2 * 4096, "{bytes}");
    life.kill();
}

fn size(file: &Path) -> u64 {
    fs::metadata(file).unwrap().len()
}

#[tokio::test]
async fn a_torn_line_at_the_end_is_nothing() {
    // Given a crash in the middle of a line
    let folder = folder();
    left_by_a_crash(2, folder.path()).await;
    let mut segment = File::options().append(true).open(only_segment(folder.path())).unwrap();
    segment.write_all(&line(r#"report 2 {"schemaVersion":1}"#).as_bytes()[..20]).unwrap();
    // When one of the whole ones is confirmed, so that something is written behind it
    let fleet = Fleet::new();
    let life = Life::on(&fleet, folder.path()).await;
    let (first, second) = (fleet.next().await, fleet.next().await);
    first.receipt.confirm(Answer::Accepted).await;
    until(|| kept(folder.path()) == std::slice::from_ref(&second.report)).await;
    life.kill();
    // Then the next start finds no damage
    let fleet = Fleet::new();
    let life = Life::on(&fleet, folder.path()).await;
    let third = fleet.next().await;
    assert_eq!(third.report, second.report);
    third.receipt.confirm(Answer::Accepted).await;
    until(|| files(folder.path()).is_empty()).await;
    life.kill();
}

#[tokio::test]
async fn around_a_damaged_line_all_is_published_and_the_file_stays_for_people() {
    // Given three lines, the second of them damaged
    let folder = folder();
    left_by_a_crash(3, folder.path()).await;
    let segment = only_segment(folder.path());
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    for _ in 0..2 {
        // When it starts, and is killed before anything is confirmed, then nothing is put away
        let fleet = Fleet::new();
        let life = Life::on(&fleet, folder.path()).await;
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(fleet.next().await);
        }
        life.kill();
        assert_eq!(files(folder.path()), ["outcomes-1.log"]);
    }
    // When they are confirmed
    let fleet = Fleet::new();
    let life = Life::on(&fleet, folder.path()).await;
    assert_eq!(heard(2, &fleet).await, tasks([1, 3]));
    // Then it is out of the way, with all that was in it
    until(|| files(folder.path()) == ["outcomes-1.damaged"]).await;
    assert!(fs::read(folder.path().join("outcomes-1.damaged")).unwrap().starts_with(&bytes));
    life.kill();
}

#[tokio::test]
async fn what_is_no_report_is_set_aside_and_disturbs_nothing() {
    // Given a report, something else that says it is one, one of a newer version, a folder, and foreign files
    let folder = folder();
    left_by_a_crash(1, folder.path()).await;
    let newer = line(r#"report 0 {"schemaVersion":999,"body":{}}"#);
    fs::write(folder.path().join("outcomes-2.log"), line("report 0 {}")).unwrap();
    fs::write(folder.path().join("outcomes-3.log"), &newer).unwrap();
    fs::create_dir(folder.path().join("outcomes-4.log")).unwrap();
    fs::write(folder.path().join("a.json"), "").unwrap();
    fs::write(folder.path().join("outcomes-x.log"), "").unwrap();
    for _ in 0..2 {
        // When it starts, and starts again
        let fleet = Fleet::new();
        let life = Life::on(&fleet, folder.path()).await;
        assert_eq!(fleet.next().await.report, report(1));
        // Then what cannot be read is out of the way, and what another version can read is where it was
        let names = [
            "a.json",
            "outcomes-1.log",
            "outcomes-3.log",
            "outcomes-4.damaged",
            "outcomes-x.log",
            "set-aside-2-0.json",
        ];
        until(|| files(folder.path()) == names).await;
        assert_eq!(fs::read_to_string(folder.path().join("outcomes-3.log")).unwrap(), newer);
        assert_eq!(fs::read_to_string(folder.path().join("set-aside-2-0.json")).unwrap(), "{}");
        life.kill();
    }
    // and nothing new is mistaken for it.
    fs::remove_dir(folder.path().join("outcomes-4.damaged")).unwrap();
    fs::rename(folder.path().join("set-aside-2-0.json"), folder.path().join("set-aside-7-0.json")).unwrap();
    let life = Life::on(&Fleet::new(), folder.path()).await;
    life.reported(report(2)).await;
    assert!(files(folder.path()).contains(&"outcomes-8.log".to_owned()), "{:?}", files(folder.path()));
    life.kill();
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_while_costs_only_what_was_reported_meanwhile() {
    // Given a report on a disk with 16 KiB left
    let Some(disk) = SmallDisk::new(1) else { return };
    let folder = disk.path().join("spool");
    let fleet = Fleet::new();
    let life = Life::on(&fleet, &folder).await;
    life.reported(report(1)).await;
    let (segment, bytes) = (only_segment(&folder), size(&only_segment(&folder)));
    disk.fill_up_to(16);
    // When one of 100 KiB is made
    let (build, work, attempt) = report(2).about();
    let executor = ExecutorName("e".repeat(100 << 10).into());
    life.reported(OutcomeReport::Lost { build, work, attempt, executor }).await;
    // Then it is published all the same, and nothing of it is on the disk
    let published = [fleet.next().await, fleet.next().await];
    assert_eq!(published[1].report.about(), report(2).about());
    assert_eq!(kept(&folder), [report(1)]);
    assert_eq!(size(&segment), bytes);
    // When there is room again
    disk.free();
    life.reported(report(3)).await;
    life.kill();
    // Then whatever was on the disk before and after is published by the next start
    let fleet = Fleet::new();
    let life = Life::on(&fleet, &folder).await;
    assert_eq!(heard(2, &fleet).await, tasks([1, 3]));
    until(|| files(&folder).is_empty()).await;
    life.kill();
}
