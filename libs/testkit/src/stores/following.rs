//! How readers keep up with the log.

use super::{Subject, sample::*};
use futures::future::join_all;
use ports::{EventStore, Position, RecordedEvent};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const WRITERS: u64 = 16;
const APPENDS: u64 = 50;
/// Long enough for any machine, short enough to tell a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads whatever is new whenever the head moves, until it has seen `upto`.
pub async fn follow(store: Arc<dyn EventStore>, upto: Position) -> Vec<RecordedEvent> {
    let mut head = store.head();
    let mut seen: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = seen.last().map_or(Position(0), |event| event.position);
        if after >= upto {
            return seen;
        }
        let known = *head.borrow_and_update();
        let page = store.read_all(after, 50).await.expect("a page");
        if page.is_empty() {
            // A commit can be read a moment before the head tells of it, never the other way round.
            assert!(after >= known, "the head was at {known} before that event could be read");
            let woken = timeout(PATIENCE, head.changed()).await;
            woken.unwrap_or_else(|_| panic!("asleep at {after}")).expect("the store lives");
        }
        seen.extend(page);
    }
}

/// Three followers of sixteen writers, whatever the store's settings are.
pub async fn assert_followers_see_each_event_once(store: Arc<dyn EventStore>) {
    let upto = Position(WRITERS * APPENDS);
    let followers: Vec<_> = (0..3).map(|_| tokio::spawn(follow(Arc::clone(&store), upto))).collect();
    let writers = (0..WRITERS).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for version in 0..APPENDS {
                store.append(append(stream(n), version, 1)).await.expect("appended");
            }
        })
    });
    for writer in join_all(writers).await {
        writer.expect("a writer");
    }
    for follower in followers {
        let seen = follower.await.expect("a follower");
        assert_whole(&seen);
        assert_eq!(seen.len() as u64, upto.0);
    }
}

/// Nobody misses an event and nobody sees one twice.
pub async fn followers_see_each_event_once_and_in_order<S: Subject>() {
    assert_followers_see_each_event_once(S::empty().await.events()).await;
}

/// The head is where the log ends as soon as an append is answered, and its change is a wake-up.
pub async fn the_head_wakes_whoever_waits<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.events();
    let mut head = store.head();
    assert_eq!(*head.borrow_and_update(), Position(0));

    let waiting = tokio::spawn(async move {
        timeout(PATIENCE, head.changed()).await.expect("woken").expect("the store lives");
        *head.borrow()
    });
    store.append(append(stream(1), 0, 3)).await.expect("appended");

    assert_eq!(*store.head().borrow(), Position(3));
    assert_eq!(waiting.await.expect("a waiter"), Position(3));
}
