//! Several processes fold events into the same read models.

use crate::{crowd::PATIENCE, scene::*};
use buildwright_store_postgres::{PostgresOptions, PostgresStore};
use futures::future::join_all;
use ports::{BuildSummary, EventStore, Position, ReadModels, StoreError};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const STREAMS: u64 = 20;
const EVENTS: u64 = 100;

/// Counts each stream's events, as a projector does: from the checkpoint on, with the rows as they are stored.
/// Tells how often it was told that it cannot.
async fn count(store: PostgresStore, upto: u64) -> u64 {
    let mut told = 0;
    let began = Instant::now();
    loop {
        let mut from = *store.projected().borrow();
        loop {
            let events = store.read_all(from, 17).await.expect("a page");
            let Some(last) = events.last().map(|event| event.position) else { break };
            let ids: Vec<_> = events.iter().filter_map(|event| event.stream.build()).collect();
            let rows = store.summaries(&ids).await.expect("rows");
            let mut rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
            for id in ids {
                rows.entry(id).or_insert_with(|| empty(id)).tasks.total += 1;
            }
            match store.project(rows.into_values().collect(), last).await {
                Ok(()) => from = last,
                Err(StoreError::Unavailable(_)) => {
                    told += 1;
                    break;
                }
                Err(other) => panic!("{other}"),
            }
        }
        if store.projected().borrow().0 >= upto {
            return told;
        }
        assert!(began.elapsed() < PATIENCE, "stuck at {}", *store.projected().borrow());
        sleep(Duration::from_millis(1)).await;
    }
}

fn empty(id: domain::BuildId) -> BuildSummary {
    let mut row = summary(0);
    (row.id, row.tasks.total) = (id, 0);
    row
}

async fn assert_counted_once(store: &PostgresStore) {
    let ids: Vec<_> = (0..STREAMS).map(build).collect();
    let rows = store.summaries(&ids).await.expect("rows");
    assert_eq!(rows.len() as u64, STREAMS);
    for row in rows {
        assert_eq!(u64::from(row.tasks.total), EVENTS, "of {}", row.id);
    }
}

async fn append_all(store: &PostgresStore) {
    for version in 0..EVENTS {
        for appended in join_all((0..STREAMS).map(|n| store.append(append(stream(n), version, 1)))).await {
            appended.expect("appended");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_event_is_folded_twice_by_projectors_that_race() {
    let scene = Scene::empty().await;
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(open(&scene.url).await);
    }
    let projectors: Vec<_> =
        stores.iter().map(|store| tokio::spawn(count(store.clone(), STREAMS * EVENTS))).collect();
    append_all(&scene.store).await;
    for projector in projectors {
        let told = projector.await.expect("a projector");
        assert!(told < 20, "a second projector was told {told} times that it is second");
    }
    assert_counted_once(&stores[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_projector_takes_over_from_one_that_died_and_after_a_reset_by_another() {
    let scene = Scene::empty().await;
    append_all(&scene.store).await;
    let (first, second) = (open(&scene.url).await, open(&scene.url).await);
    // The second has seen the checkpoint only where it was at the beginning.
    count(first.clone(), STREAMS * EVENTS / 2).await;
    drop(first);
    count(second.clone(), STREAMS * EVENTS).await;
    assert_counted_once(&second).await;

    scene.store.reset().await.expect("reset");
    let mut projected = second.projected();
    let heard = tokio::time::timeout(PATIENCE, projected.wait_for(|at| at.0 == 0)).await;
    drop(heard.expect("heard").expect("alive"));
    count(second.clone(), STREAMS * EVENTS).await;
    assert_counted_once(&second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_folded_from_elsewhere_stores_nothing() {
    let scene = Scene::empty().await;
    let deaf = PostgresOptions { listen: false, poll_idle: Duration::from_secs(3600), ..Default::default() };
    let second = PostgresStore::open(&scene.url, deaf).await.expect("a store");
    scene.store.project(vec![summary(1)], Position(10)).await.expect("projected");

    // It folded 1 to 20, but 1 to 10 are in already, and nobody goes on to 20.
    let late = second.project(vec![summary(2)], Position(20)).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(second.summaries(&[build(2)]).await.expect("rows").is_empty());
    // Now it knows, and goes on from there.
    assert_eq!(*second.projected().borrow(), Position(10));
    second.project(vec![summary(2)], Position(20)).await.expect("projected");
    // The other folded the same, and is told that it is done.
    scene.store.project(vec![summary(3)], Position(15)).await.expect("done by the other");
    assert!(second.summaries(&[build(3)]).await.expect("rows").is_empty());
}
