//! The server goes and comes back.

use crate::{crowd::*, scene::*};
use buildwright_store_postgres::PostgresStore;
use futures::future::join_all;
use ports::{AppendError, EventStore, Position, ReadModels, StoreError, Version};
use std::time::{Duration, Instant};
use testkit::postgres::{Disk, Server};
use tokio::{task::block_in_place, time::sleep};

const WRITERS: u64 = 16;
const EVENTS: u64 = 150;

/// Waits until a store works again.
async fn recovered(store: &PostgresStore) {
    let began = Instant::now();
    while let Err(error) = store.read_all(Position(u64::MAX >> 1), 1).await {
        assert!(began.elapsed() < PATIENCE, "{error}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn restarts_in_the_middle_lose_nothing_and_double_nothing() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let stores = [open(&url).await, open(&url).await];
    let mut head = stores[0].head();
    let total = WRITERS * EVENTS;
    let writers: Vec<_> = (0..WRITERS)
        .zip(stores.iter().cycle())
        .map(|(n, store)| tokio::spawn(write(store.clone(), n, stream(n / 2), EVENTS)))
        .collect();
    let readers: Vec<_> =
        stores.iter().map(|store| tokio::spawn(follow(store.clone(), Position(total)))).collect();

    for (part, end) in [(1, Server::stop as fn(&Server)), (2, Server::kill9)] {
        let reached = head.wait_for(|head| head.0 > total * part / 3).await;
        drop(reached.expect("the store lives"));
        block_in_place(|| {
            end(&server);
            server.start();
        });
    }

    let mut unavailable = 0;
    for writer in join_all(writers).await {
        unavailable += writer.expect("a writer").unavailable;
    }
    let logs: Vec<_> = join_all(readers).await.into_iter().map(|log| log.expect("a reader")).collect();
    logs.iter().for_each(|log| assert_each_once(log, WRITERS, EVENTS));
    assert_same(&logs);
    println!("{unavailable} appends were answered as unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_server_is_away_everything_says_so_soon_and_then_works_again() {
    let server = Server::new(Disk::Lazy);
    let url = server.database();
    let store = open(&url).await;
    store.append(append(stream(1), 0, 1)).await.expect("appended");
    store.project(vec![summary(1)], Position(1)).await.expect("projected");

    block_in_place(|| server.stop());
    let began = Instant::now();
    let appends = join_all((0..300).map(|n| store.append(append(stream(n), u64::from(n == 1), 1)))).await;
    let projected = store.project(vec![summary(2)], Position(2)).await;
    let read = store.read_stream(stream(1), Version(0), 1).await;
    for refused in appends {
        assert!(matches!(refused, Err(AppendError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    }
    assert!(matches!(projected, Err(StoreError::Unavailable(_))), "{projected:?}");
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    // One second of patience for the first batch, five for a connection to read with.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());

    block_in_place(|| server.start());
    recovered(&store).await;
    store.append(append(stream(1), 1, 1)).await.expect("appended");
    let log = whole_log(&store).await;
    assert_whole(&log);
    assert_eq!(log.len(), 2, "what was refused is not there");
    // The checkpoint is looked up once before it is trusted again.
    let again = store.project(vec![summary(2)], Position(2)).await;
    assert!(matches!(again, Err(StoreError::Unavailable(_))), "{again:?}");
    store.project(vec![summary(2)], Position(2)).await.expect("projected");
    assert_eq!(*store.projected().borrow(), Position(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_nobody_asks_is_not_noticed() {
    let server = Server::new(Disk::Lazy);
    let store = open(&server.database()).await;
    store.append(append(stream(1), 0, 1)).await.expect("appended");
    join_all((0..8).map(|_| store.read_stream(stream(1), Version(0), 1))).await;

    block_in_place(|| {
        server.stop();
        server.start();
    });

    for read in join_all((0..8).map(|_| store.read_stream(stream(1), Version(0), 1))).await {
        assert_eq!(read.expect("read").len(), 1);
    }
    store.append(append(stream(1), 1, 1)).await.expect("appended");
    store.project(vec![summary(1)], Position(2)).await.expect("projected");
}

#[tokio::test]
async fn what_is_no_database_is_refused_without_naming_its_password() {
    for url in ["postgres://joe:s3cret@127.0.0.1:1/none", "postgres://joe:s3cret@[", "file:s3cret"] {
        let opened = PostgresStore::open(url, buildwright_store_postgres::PostgresOptions::default()).await;
        let Err(error @ StoreError::Unavailable(_)) = opened else { panic!("opened {opened:?}") };
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}
