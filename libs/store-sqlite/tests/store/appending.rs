use crate::scene::*;
use ports::{AppendError, EventStore, Position, StoreError, Version};

#[tokio::test]
async fn closing_finishes_what_waits_and_leaves_one_file() {
    let scene = Scene::empty().await;
    let (appended, ()) = tokio::join!(scene.append(stream(1), 0, 1), scene.store.close());
    appended.expect("it waited before the store was closed");

    assert!(matches!(scene.append(stream(1), 1, 1).await, Err(AppendError::Store(StoreError::Closed))));
    assert!(matches!(scene.store.read_stream(stream(1), Version(0), 1).await, Err(StoreError::Closed)));
    scene.store.close().await;

    let files: Vec<_> = std::fs::read_dir(scene.folder()).expect("a folder").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let again = scene.open_again().await;
    assert_eq!(whole_log(&again).await.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_without_naming_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(file(folder.path()), "x".repeat(5000)).expect("written");
    let opened = buildwright_store_sqlite::SqliteStore::open(&file(folder.path()), Default::default()).await;
    let Err(error @ StoreError::Corrupt(_)) = opened else { panic!("opened {opened:?}") };
    assert!(!error.to_string().contains("buildwright.db"), "{error}");

    let missing = file(&folder.path().join("missing"));
    let opened = buildwright_store_sqlite::SqliteStore::open(&missing, Default::default()).await;
    let Err(error @ StoreError::Unavailable(_)) = opened else { panic!("opened {opened:?}") };
    assert!(!error.to_string().contains("missing"), "{error}");
}

#[tokio::test]
async fn another_process_that_writes_cannot_make_two_events_share_a_place() {
    let scene = Scene::empty().await;
    scene.append(stream(1), 0, 1).await.expect("appended");
    let intruder = scene.open_again().await;
    intruder.append(append(stream(1), 1, 1)).await.expect("appended");

    // What this store believes of the file is wrong now. It finds out, once, and goes on from what is there.
    unavailable(scene.append(stream(1), 1, 1).await);
    assert!(matches!(
        scene.append(stream(1), 1, 1).await,
        Err(AppendError::Conflict { actual: Version(2), .. })
    ));
    let next = scene.append(stream(1), 2, 1).await.expect("appended");
    assert_eq!(next.position, Position(3));
    assert_whole(&whole_log(&scene.store).await);
}
