//! How read models are kept.

use super::{Subject, sample::*};
use domain::build::BuildStatus;
use ports::{BuildFilter, BuildSummary, Position};
use std::time::Duration;
use tokio::time::timeout;

fn everything(limit: usize) -> BuildFilter {
    BuildFilter::of(Default::default(), limit)
}

/// A row comes back as it was stored last, by id and in a list.
pub async fn a_row_is_read_as_it_was_stored<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.read_models();
    let mut row = summary(1);
    store.project(vec![row.clone()], Position(1)).await.expect("projected");
    assert_eq!(store.summaries(&[build(1), build(2)]).await.expect("rows"), [row.clone()]);

    row.status = BuildStatus::Completed;
    row.title = "A title with \0, \u{2028} and 'quotes'".to_owned();
    row.labels = labels(&[("team", "checkout"), ("empty", "")]);
    row.tasks.completed = u32::MAX;
    row.cost_nano_usd = u64::from(u32::MAX) * 1_000;
    row.ended_at = Some(row.submitted_at);
    store.project(vec![row.clone()], Position(2)).await.expect("projected");

    assert_eq!(store.summaries(&[build(1)]).await.expect("rows"), [row.clone()]);
    assert_eq!(store.builds(&everything(10)).await.expect("a page").builds, [row]);
    assert!(store.summaries(&[]).await.expect("rows").is_empty());
}

/// Rows and the position they stand for are stored at once; a reset takes both away.
pub async fn rows_and_checkpoint_are_stored_together_and_reset_together<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.read_models();
    let mut projected = store.projected();
    assert_eq!(*projected.borrow_and_update(), Position(0));

    store.project((1..=600).map(summary).collect(), Position(900)).await.expect("projected");
    assert!(projected.has_changed().expect("alive"));
    assert_eq!(*projected.borrow_and_update(), Position(900));
    drop((store, projected));

    let subject = subject.reopened().await;
    let store = subject.read_models();
    assert_eq!(*store.projected().borrow(), Position(900));
    assert_eq!(store.builds(&everything(1_000)).await.expect("a page").builds.len(), 600);

    store.reset().await.expect("reset");
    assert_eq!(*store.projected().borrow(), Position(0));
    assert!(store.builds(&everything(10)).await.expect("a page").builds.is_empty());
    store.project(vec![summary(7)], Position(3)).await.expect("projected from the beginning");
    assert_eq!(*store.projected().borrow(), Position(3));
    store.reset().await.expect("reset");
    drop(store);

    let subject = subject.reopened().await;
    assert_eq!(*subject.read_models().projected().borrow(), Position(0));
    assert!(subject.read_models().open_builds(None, 10).await.expect("a page").is_empty());
}

/// A client waits until a list shows what it did.
pub async fn whoever_waits_for_a_checkpoint_is_woken<S: Subject>() {
    let subject = S::empty().await;
    let mut projected = subject.read_models().projected();
    let waiting = tokio::spawn(async move {
        let reached = projected.wait_for(|position| *position >= Position(5));
        let reached = timeout(Duration::from_secs(20), reached).await.expect("woken");
        *reached.expect("the store lives")
    });
    subject.read_models().project(vec![summary(1)], Position(5)).await.expect("projected");
    assert_eq!(waiting.await.expect("a waiter"), Position(5));
}

/// Recovery walks through whatever has not ended.
pub async fn open_builds_come_oldest_first_in_pages<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.read_models();
    let rows = (1..=12_u64).map(|n| BuildSummary {
        status: BuildStatus::ALL[usize::try_from(n % 6).expect("small")],
        ..summary(n)
    });
    store.project(rows.collect(), Position(1)).await.expect("projected");
    // n % 6 in 0, 1, 2: queued, planning, executing.
    let open =
        async |after: Option<u64>, limit| store.open_builds(after.map(build), limit).await.expect("a page");
    assert_eq!(open(None, 3).await, [1, 2, 6].map(build));
    assert_eq!(open(Some(6), 3).await, [7, 8, 12].map(build));
    assert!(open(Some(12), 3).await.is_empty());
    assert_eq!(open(Some(3), 100).await, [6, 7, 8, 12].map(build));
}
