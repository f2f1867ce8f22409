//! Requests that may come twice.

use super::{Subject, sample};
use chrono::{DateTime, TimeDelta, Utc};
use ports::{Abandoned, BeginRequest, Begun, Claim, Fingerprint, Idempotency, IdempotencyKey, KeptAnswer};
use std::collections::HashSet;
use ulid::Ulid;

const HOLDS: TimeDelta = TimeDelta::seconds(60);
const KEEPS: TimeDelta = TimeDelta::hours(24);

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey { scope: "default/local POST /v1/builds".to_owned(), key: text.to_owned() }
}

fn request(text: &str, says: u8, number: u128, now: DateTime<Utc>) -> BeginRequest {
    BeginRequest {
        key: key(text),
        fingerprint: Fingerprint([says; 32]),
        proposed: Ulid(number),
        now,
        held_until: now + HOLDS,
        kept_until: now + KEEPS,
    }
}

fn claim(request: &BeginRequest) -> Claim {
    Claim { key: request.key.clone(), holder: request.proposed }
}

fn answer(body: &[u8]) -> KeptAnswer {
    let headers = vec![("location".to_owned(), "/v1/builds/\"ü".to_owned())];
    KeptAnswer { status: 202, headers, body: body.to_vec() }
}

async fn begun(store: &dyn Idempotency, request: &BeginRequest) -> Begun {
    store.begin(request.clone()).await.expect("the store's answer")
}

fn new(reserved: u128) -> Begun {
    Begun::New { reserved: Ulid(reserved) }
}

/// The first time it is carried out, then its answer is given again, whoever asks, byte by byte.
pub async fn an_answer_is_given_again_to_the_same_request_also_after_opening_again<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.idempotency();
    let now = sample::noon();
    let first = request("k", 1, 10, now);
    assert_eq!(begun(&*store, &first).await, new(10));
    let body = [&b"{\"\\u0000\":\0\xff"[..], &vec![b'x'; 1 << 20]].concat();
    store.finish(&claim(&first), answer(&body), now + KEEPS).await.expect("kept");
    drop(store);

    let subject = subject.reopened().await;
    let store = subject.idempotency();
    let later = now + KEEPS - TimeDelta::seconds(1);
    assert_eq!(begun(&*store, &request("k", 1, 11, later)).await, Begun::Replay(answer(&body)));
    assert_eq!(begun(&*store, &request("k", 2, 12, later)).await, Begun::Mismatch, "it says something else");
    assert_eq!(begun(&*store, &request("other", 2, 13, later)).await, new(13), "another key");
    let elsewhere = BeginRequest {
        key: IdempotencyKey { scope: "another".to_owned(), ..key("k") },
        ..request("k", 2, 14, later)
    };
    assert_eq!(begun(&*store, &elsewhere).await, new(14), "somebody else's key");
}

/// Of many at once, one carries it out.
pub async fn of_many_at_once_one_becomes_the_holder<S: Subject>() {
    let subject = S::empty().await;
    let now = sample::noon();
    let asking = (0..64).map(|number| {
        let store = subject.idempotency();
        tokio::spawn(async move { begun(&*store, &request("k", 1, 100 + number, now)).await })
    });
    let mut holders = HashSet::new();
    for asked in asking.collect::<Vec<_>>() {
        match asked.await.expect("an answer") {
            Begun::New { reserved } => assert!(holders.insert(reserved), "{reserved} twice"),
            other => assert_eq!(other, Begun::InFlight),
        }
    }
    assert_eq!(holders.len(), 1);
}

/// A holder that is gone is replaced, and what it may have made is made again under its id.
pub async fn a_request_whose_holder_is_gone_is_taken_over_with_the_reserved_id<S: Subject>() {
    let subject = S::empty().await;
    let now = sample::noon();
    let first = request("k", 1, 10, now);
    assert_eq!(begun(&*subject.idempotency(), &first).await, new(10));

    let subject = subject.reopened().await;
    let store = subject.idempotency();
    let soon = request("k", 1, 11, now + HOLDS - TimeDelta::seconds(1));
    assert_eq!(begun(&*store, &soon).await, Begun::InFlight);
    let second = request("k", 1, 12, now + HOLDS);
    assert_eq!(begun(&*store, &request("k", 2, 13, second.now)).await, Begun::Mismatch);
    assert_eq!(begun(&*store, &second).await, new(10), "under the id of the first");

    store.finish(&claim(&first), answer(b"late"), now + KEEPS).await.expect("not kept");
    store.abandon(&claim(&first), Abandoned::WithoutEffect).await.expect("not let go");
    assert_eq!(begun(&*store, &request("k", 1, 14, second.now)).await, Begun::InFlight, "the second has it");
    store.finish(&claim(&second), answer(b"in time"), now + KEEPS).await.expect("kept");
    assert_eq!(begun(&*store, &request("k", 1, 15, second.now)).await, Begun::Replay(answer(b"in time")));
}

/// What had no effect leaves no trace; what may have had one keeps its id and stays bound to what was asked.
pub async fn a_request_that_was_given_up_can_be_begun_again_at_once<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.idempotency();
    let now = sample::noon();
    let refused = request("k", 1, 10, now);
    assert_eq!(begun(&*store, &refused).await, new(10));
    store.abandon(&claim(&refused), Abandoned::WithoutEffect).await.expect("let go");

    let doubtful = request("k", 2, 11, now);
    assert_eq!(begun(&*store, &doubtful).await, new(11), "even one that says something else");
    store.abandon(&claim(&doubtful), Abandoned::InDoubt).await.expect("let go");

    assert_eq!(begun(&*store, &request("k", 1, 12, now)).await, Begun::Mismatch);
    let again = request("k", 2, 13, now);
    assert_eq!(begun(&*store, &again).await, new(11));
    store.abandon(&claim(&again), Abandoned::WithoutEffect).await.expect("let go");
    assert_eq!(begun(&*store, &request("k", 2, 14, now)).await, new(11), "the doubt remains");
}

/// Keys are kept for their time; then they are as good as new, removed or not.
pub async fn keys_are_kept_for_their_time_and_removed_bit_by_bit<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.idempotency();
    let now = sample::noon();
    for number in 0..5u32 {
        let one = request(&format!("k{number}"), 1, number.into(), now + TimeDelta::seconds(number.into()));
        assert_eq!(begun(&*store, &one).await, new(number.into()));
        store.finish(&claim(&one), answer(b"old"), one.kept_until).await.expect("kept");
    }
    let later = now + KEEPS + TimeDelta::seconds(3);
    assert_eq!(begun(&*store, &request("k3", 2, 20, later)).await, new(20), "over, though it is still there");
    assert_eq!(store.prune(later, 2).await.expect("pruned"), 2);
    assert_eq!(store.prune(later, 2).await.expect("pruned"), 1);
    assert_eq!(store.prune(later, 2).await.expect("pruned"), 0);
    assert_eq!(begun(&*store, &request("k4", 1, 21, later)).await, Begun::Replay(answer(b"old")));
    assert_eq!(begun(&*store, &request("k3", 2, 22, later)).await, Begun::InFlight);
}
