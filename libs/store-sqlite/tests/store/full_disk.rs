use crate::scene::*;
use buildwright_store_sqlite::SqliteOptions;
use futures::future::join_all;
use ports::{AppendError, BuildFilter, BuildSummary, EventStore, Position, ReadModels};

/// A megabyte takes a few hundred appends of some kilobytes.
fn small() -> SqliteOptions {
    SqliteOptions { max_bytes: Some(1 << 20), ..SqliteOptions::default() }
}

/// Takes a quarter of the room with read models, which can be given up again.
async fn store_dispensable_rows(scene: &Scene) {
    let padding = "x".repeat(1000);
    let rows = (0..200).map(|n| BuildSummary { title: padding.clone(), ..summary(n) }).collect();
    scene.store.project(rows, Position(0)).await.expect("projected");
}

#[tokio::test]
async fn a_full_disk_stores_nothing_by_halves_and_passes() {
    let scene = Scene::with(small()).await;
    store_dispensable_rows(&scene).await;

    // Given a store that takes no more,
    let mut stored = 0;
    let refused = loop {
        match scene.append(stream(1), stored, 20).await {
            Ok(appended) => stored = appended.version.0,
            refused => break unavailable(refused),
        }
        assert!(stored < 20_000, "it never became full");
    };
    assert!(refused.contains("full"), "{refused}");
    assert!(!refused.contains(&*scene.folder().to_string_lossy()), "{refused}");
    assert!(stored > 0);

    // when several write at once, nobody is told of success, and nothing changes;
    let refused = join_all((2..30).map(|n| scene.append(stream(n), 0, 40))).await;
    assert!(refused.iter().all(|refused| matches!(refused, Err(AppendError::Store(_)))));
    assert_eq!(*scene.store.head().borrow(), Position(stored));
    assert_eq!(whole_log(&scene.store).await.len() as u64, stored);

    // and when there is room again, the log goes on where it ended.
    scene.store.reset().await.expect("deleting needs no room");
    let next = scene.append(stream(1), stored, 1).await.expect("appended");
    assert_eq!(next.position, Position(stored + 1));
    scene.append(stream(2), 0, 1).await.expect("appended");
    let scene = scene.reopened().await;
    let log = whole_log(&scene.store).await;
    assert_whole(&log);
    assert_eq!(log.len() as u64, stored + 2);
}

#[tokio::test]
async fn rows_that_do_not_fit_leave_rows_and_checkpoint_as_they_were() {
    let scene = Scene::with(small()).await;
    scene.store.project(vec![summary(1)], Position(5)).await.expect("projected");

    let too_much = (1..5_000).map(|n| BuildSummary { title: "x".repeat(200), ..summary(n) }).collect();
    scene.store.project(too_much, Position(6)).await.expect_err("there is no room");

    assert_eq!(*scene.store.projected().borrow(), Position(5));
    assert_eq!(
        scene.store.builds(&BuildFilter::of(Default::default(), 10)).await.expect("a page").builds,
        [summary(1)]
    );
    scene.store.project(vec![summary(2)], Position(6)).await.expect("projected");
    assert_eq!(*scene.store.projected().borrow(), Position(6));
}
