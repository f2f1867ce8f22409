use crate::scene::*;
use buildwright_store_sqlite::{SqliteOptions, SqliteStore};
use futures::future::join_all;
use ports::{EventStore, Position, RecordedEvent};

const WRITERS: u64 = 16;
const APPENDS: u64 = 50;

/// Reads whatever is new whenever the head moves, until it has seen `upto`.
async fn follow(store: SqliteStore, upto: Position) -> Vec<RecordedEvent> {
    let mut head = store.head();
    let mut seen: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = seen.last().map_or(Position(0), |event| event.position);
        if after >= upto {
            return seen;
        }
        let known = *head.borrow_and_update();
        let page = store.read_all(after, 7).await.expect("a page");
        if page.is_empty() {
            // A commit shows in the file a moment before the head tells of it, never the other way round.
            assert!(after >= known, "the head was at {known} before that event could be read");
            head.changed().await.expect("the store lives");
        }
        seen.extend(page);
    }
}

async fn everybody_writes(store: &SqliteStore) {
    let writers = (0..WRITERS).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for version in 0..APPENDS {
                store.append(append(stream(n), version, 1)).await.expect("appended");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("a writer");
    }
}

async fn assert_followers_see_each_event_once(options: SqliteOptions) {
    let scene = Scene::with(options).await;
    let upto = Position(WRITERS * APPENDS);
    let followers: Vec<_> = (0..3).map(|_| tokio::spawn(follow(scene.store.clone(), upto))).collect();
    everybody_writes(&scene.store).await;
    for follower in followers {
        let seen = follower.await.expect("a follower");
        assert_dense(&seen);
        assert_eq!(seen.len() as u64, upto.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_sees_each_event_once_and_in_order() {
    assert_followers_see_each_event_once(SqliteOptions::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_that_falls_out_of_memory_reads_on_from_the_file() {
    let options = SqliteOptions { tail_events: 3, ..SqliteOptions::default() };
    assert_followers_see_each_event_once(options).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_memory_everything_is_read_from_the_file() {
    let options = SqliteOptions { tail_bytes: 0, ..SqliteOptions::default() };
    assert_followers_see_each_event_once(options).await;
}

#[tokio::test]
async fn the_end_of_the_log_is_read_without_the_file() {
    let scene = Scene::new().await;
    scene.append(stream(1), 0, 10).await.expect("appended");
    // Closing takes the connections away that reading the file needs.
    scene.store.close().await;
    let page = scene.store.read_all(Position(7), 10).await.expect("read from memory");
    assert_eq!(page.iter().map(|event| event.position.0).collect::<Vec<_>>(), [8, 9, 10]);
}
