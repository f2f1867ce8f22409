use crate::scene::*;
use futures::future::join_all;
use ports::{AppendError, Appended, EventStore, Position, StoreError, Version};

#[tokio::test]
async fn an_event_is_read_as_it_was_written_from_memory_and_from_the_file() {
    let scene = Scene::new().await;
    let appended = scene.append(stream(1), 0, 2).await.expect("appended");
    assert_eq!(appended, Appended { position: Position(2), version: Version(2) });

    let from_memory = whole_log(&scene.store).await;
    let scene = scene.forsake_and_open().await;
    let from_file = whole_log(&scene.store).await;
    let of_stream = scene.store.read_stream(stream(1), Version(0), 10).await.expect("read");

    for log in [&from_memory, &from_file, &of_stream] {
        assert_dense(log);
        assert_eq!(log.len(), 2);
        let event = &log[1];
        assert_eq!(event.stream, stream(1));
        assert_eq!((&*event.kind, event.schema_version), ("task_started", 1));
        assert_eq!(&*event.payload, append(stream(1), 0, 2).events[1].payload);
        assert_eq!(event.metadata.actor.as_deref(), Some("tester"));
        assert_eq!(event.recorded_at.to_rfc3339(), "2026-03-01T12:00:00.123456+00:00");
    }
}

#[tokio::test]
async fn a_stream_is_read_in_pages() {
    let scene = Scene::new().await;
    scene.append(stream(1), 0, 5).await.expect("appended");
    scene.append(stream(2), 0, 5).await.expect("appended");
    let versions = async |after, limit| {
        let page = scene.store.read_stream(stream(1), Version(after), limit).await.expect("read");
        page.iter().map(|event| event.version.0).collect::<Vec<_>>()
    };
    assert_eq!(versions(0, 2).await, [1, 2]);
    assert_eq!(versions(2, 2).await, [3, 4]);
    assert_eq!(versions(4, 2).await, [5]);
    assert!(versions(5, 2).await.is_empty());
    assert!(scene.store.read_stream(stream(3), Version(0), 9).await.expect("read").is_empty());
}

#[tokio::test]
async fn an_append_that_expected_another_version_stores_nothing() {
    let scene = Scene::new().await;
    scene.append(stream(1), 0, 3).await.expect("appended");

    for (n, expected, actual) in [(1, 0, 3), (1, 2, 3), (1, 4, 3), (2, 1, 0)] {
        match scene.append(stream(n), expected, 2).await {
            Err(AppendError::Conflict { expected: told, actual: found }) => {
                assert_eq!((told, found), (Version(expected), Version(actual)));
            }
            other => panic!("expected a conflict, not {other:?}"),
        }
    }

    assert_eq!(*scene.store.head().borrow(), Position(3));
    assert_eq!(whole_log(&scene.store).await.len(), 3);
    scene.append(stream(1), 3, 1).await.expect("the right version");
}

#[tokio::test]
async fn versions_are_known_after_opening_again() {
    let scene = Scene::new().await;
    scene.append(stream(1), 0, 3).await.expect("appended");
    let scene = scene.forsake_and_open().await;
    assert_eq!(*scene.store.head().borrow(), Position(3));
    assert!(matches!(
        scene.append(stream(1), 0, 1).await,
        Err(AppendError::Conflict { actual: Version(3), .. })
    ));
    let next = scene.append(stream(1), 3, 1).await.expect("appended");
    assert_eq!(next, Appended { position: Position(4), version: Version(4) });
}

#[tokio::test]
async fn appends_that_wait_together_are_judged_one_after_another() {
    let scene = Scene::new().await;
    // Polled in this order, all of them wait before the writer runs: they share a transaction.
    let results = join_all([
        scene.append(stream(1), 0, 2),
        scene.append(stream(1), 0, 1), // too late: the first one was there before
        scene.append(stream(1), 2, 1), // goes on where the first one ended
        scene.append(stream(2), 0, 1),
        scene.append(stream(2), 7, 1),
    ])
    .await;
    let positions: Vec<_> =
        results.iter().map(|result| result.as_ref().ok().map(|done| done.position.0)).collect();
    assert_eq!(positions, [Some(2), None, Some(3), Some(4), None]);
    assert!(matches!(results[1], Err(AppendError::Conflict { actual: Version(2), .. })));
    assert_dense(&whole_log(&scene.store).await);
}

#[tokio::test]
async fn a_large_append_is_stored_whole() {
    let scene = Scene::new().await;
    let done = scene.append(stream(1), 0, 5_003).await.expect("appended");
    assert_eq!(done, Appended { position: Position(5_003), version: Version(5_003) });
    let scene = scene.forsake_and_open().await;
    let log = whole_log(&scene.store).await;
    assert_dense(&log);
    assert_eq!(log.len(), 5_003);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_that_race_leave_one_dense_log() {
    let scene = Scene::new().await;
    // Eight writers race for each of eight streams and try again from what the conflict tells.
    let writers = (0..64).map(|n| {
        let store = scene.store.clone();
        tokio::spawn(async move {
            let (mut done, mut conflicts, mut expected) = (Vec::new(), 0, 0);
            while done.len() < 20 {
                match store.append(append(stream(n % 8), expected, 1 + n % 3)).await {
                    Ok(appended) => {
                        expected = appended.version.0;
                        done.push(appended);
                    }
                    Err(AppendError::Conflict { actual, .. }) => {
                        conflicts += 1;
                        expected = actual.0;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            (n, done, conflicts)
        })
    });
    let writers: Vec<_> =
        join_all(writers).await.into_iter().map(|writer| writer.expect("a writer")).collect();

    let scene = scene.forsake_and_open().await;
    let log = whole_log(&scene.store).await;
    assert_dense(&log);
    let appended: u64 = writers.iter().map(|(n, ..)| 20 * (1 + n % 3)).sum();
    assert_eq!(log.len() as u64, appended);
    assert!(writers.iter().any(|(.., conflicts)| *conflicts > 0), "nobody raced");
    for (n, done, _) in &writers {
        for appended in done {
            let last = &log[usize::try_from(appended.position.0).expect("small") - 1];
            assert_eq!((last.stream, last.version), (stream(n % 8), appended.version));
        }
    }
}

#[tokio::test]
async fn closing_finishes_what_waits_and_leaves_one_file() {
    let scene = Scene::new().await;
    let (appended, ()) = tokio::join!(scene.append(stream(1), 0, 1), scene.store.close());
    appended.expect("it waited before the store was closed");

    assert!(matches!(scene.append(stream(1), 1, 1).await, Err(AppendError::Store(StoreError::Closed))));
    assert!(matches!(scene.store.read_stream(stream(1), Version(0), 1).await, Err(StoreError::Closed)));
    scene.store.close().await;

    let files: Vec<_> = std::fs::read_dir(scene.folder()).expect("a folder").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(whole_log(&scene.open_again().await).await.len(), 1);
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
    let scene = Scene::new().await;
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
    assert_dense(&whole_log(&scene.store).await);
}
