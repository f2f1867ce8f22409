use crate::scene::*;
use buildwright_store_sqlite::SqliteOptions;
use ports::{EventStore, Position};
use testkit::stores::following::assert_followers_see_each_event_once;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_that_falls_out_of_memory_reads_on_from_the_file() {
    let options = SqliteOptions { tail_events: 3, ..SqliteOptions::default() };
    assert_followers_see_each_event_once(Scene::with(options).await.events()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_memory_everything_is_read_from_the_file() {
    let options = SqliteOptions { tail_bytes: 0, ..SqliteOptions::default() };
    assert_followers_see_each_event_once(Scene::with(options).await.events()).await;
}

#[tokio::test]
async fn the_end_of_the_log_is_read_without_the_file() {
    let scene = Scene::empty().await;
    scene.append(stream(1), 0, 10).await.expect("appended");
    // Closing takes the connections away that reading the file needs.
    scene.store.close().await;
    let page = scene.store.read_all(Position(7), 10).await.expect("read from memory");
    assert_eq!(page.iter().map(|event| event.position.0).collect::<Vec<_>>(), [8, 9, 10]);
}
