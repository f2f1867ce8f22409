//! Writers who get on with it whatever they are told, and readers who do so too.

use crate::scene::*;
use buildwright_store_postgres::PostgresStore;
use ports::{AppendError, EventStore, Position, RecordedEvent, StoreError, StreamId, Version};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// Longest time in which a store that came back must work again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Less than `below`, by chance.
pub(crate) fn chance(below: u64) -> u64 {
    RandomState::new().hash_one(below) % below
}

/// What became of a writer's appends.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) told_stored: u64,
    pub(crate) found_stored: u64,
    pub(crate) conflicts: u64,
    pub(crate) unavailable: u64,
}

/// Writes so many events of its own to a stream that others write to as well, with pauses. Told that the store
/// is unavailable it reads what is there, as a caller must, and goes on from that.
pub(crate) async fn write(store: PostgresStore, writer: u64, stream: StreamId, events: u64) -> Tally {
    let mut tally = Tally::default();
    let (mut done, mut version) = (0, Version(0));
    while done < events {
        let size = (1 + chance(3)).min(events - done);
        let payloads = (done..done + size).map(|n| payload(writer, n)).collect();
        match store.append(append_of(stream, version.0, payloads)).await {
            Ok(appended) => {
                tally.told_stored += 1;
                (done, version) = (done + size, appended.version);
            }
            Err(AppendError::Conflict { actual, .. }) => {
                tally.conflicts += 1;
                version = actual;
            }
            Err(AppendError::Store(StoreError::Unavailable(_))) => {
                tally.unavailable += 1;
                let since = read_on(&store, stream, version).await;
                let mine = payload(writer, done + size - 1);
                if since.iter().any(|event| *event.payload == *mine) {
                    tally.found_stored += 1;
                    done += size;
                }
                version = since.last().map_or(version, |event| event.version);
            }
            Err(other) => panic!("{other}"),
        }
        sleep(Duration::from_micros(chance(2_000))).await;
    }
    tally
}

fn payload(writer: u64, n: u64) -> String {
    format!(r#"{{"writer":{writer},"event":{n}}}"#)
}

async fn read_on(store: &PostgresStore, stream: StreamId, after: Version) -> Vec<RecordedEvent> {
    let began = Instant::now();
    loop {
        match store.read_stream(stream, after, usize::MAX).await {
            Ok(events) => return events,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Reads the log in pages as the head moves, up to a position.
pub(crate) async fn follow(store: PostgresStore, upto: Position) -> Vec<RecordedEvent> {
    let mut head = store.head();
    let mut seen: Vec<RecordedEvent> = Vec::new();
    let mut news = Instant::now();
    while seen.len() as u64 != upto.0 {
        head.borrow_and_update();
        let after = seen.last().map_or(Position(0), |event| event.position);
        match store.read_all(after, 100).await {
            Ok(page) if !page.is_empty() => {
                news = Instant::now();
                seen.extend(page);
            }
            Ok(_) => {
                // Woken or not, a look decides whether there is something new; only a head that lags for ever fails.
                let _ = timeout(PATIENCE, head.changed()).await;
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
        assert!(news.elapsed() < PATIENCE, "nothing new after {after} of {upto}");
    }
    seen
}

/// Every event of every writer is there, once, in the writer's order, and the log is dense.
pub(crate) fn assert_each_once(log: &[RecordedEvent], writers: u64, events: u64) {
    assert_dense(log);
    assert_eq!(log.len() as u64, writers * events);
    let mut next = HashMap::<u64, u64>::new();
    for event in log {
        let numbers: Vec<u64> =
            event.payload.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let next = next.entry(numbers[0]).or_default();
        assert_eq!(numbers[1], *next, "of writer {} at {}", numbers[0], event.position);
        *next += 1;
    }
    assert!(next.len() as u64 == writers && next.values().all(|n| *n == events));
}

pub(crate) fn assert_same(logs: &[Vec<RecordedEvent>]) {
    for log in &logs[1..] {
        assert!(log.iter().map(|event| &event.payload).eq(logs[0].iter().map(|event| &event.payload)));
    }
}
