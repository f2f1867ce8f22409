//! Deliveries to webhook endpoints.

use super::{
    Subject,
    endpoints::{newer, row},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{BuildId, EndpointId, endpoint::EndpointState};
use ports::{
    AttemptError, Deliveries, Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryBatch, DeliveryFilter,
    DeliveryId, DeliveryProgress, DeliveryStatus, Position, SealedSecrets, Version,
};
use std::time::Duration;
use ulid::Ulid;

fn at(seconds: i64) -> DateTime<Utc> {
    let noon: DateTime<Utc> = "2026-03-01T12:00:00.123456Z".parse().expect("a time");
    noon + TimeDelta::seconds(seconds)
}

fn endpoint(n: u8) -> EndpointId {
    EndpointId::new(Ulid(n.into()))
}

fn build(n: u8) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

fn delivered(to: u8, position: u64) -> Delivery {
    Delivery {
        id: DeliveryId { endpoint: endpoint(to), position: Position(position) },
        build: Some(build(1)),
        event_id: format!("evt_00000000000000000000000001_{position}").into(),
        event_type: "task_completed".into(),
        status: DeliveryStatus::Delivered,
        attempts: 1,
        tries: 1,
        next_at: None,
        created_at: at(0),
        ended_at: Some(at(1)),
        last_status: Some(204),
        last_error: None,
    }
}

fn dead(to: u8, position: u64) -> Delivery {
    Delivery {
        status: DeliveryStatus::Dead,
        attempts: 3,
        tries: 3,
        last_status: Some(500),
        last_error: Some(AttemptError::Status),
        ..delivered(to, position)
    }
}

fn retried(to: u8, position: u64, next_at: i64) -> Delivery {
    Delivery {
        status: DeliveryStatus::Pending,
        next_at: Some(at(next_at)),
        ended_at: None,
        last_status: None,
        last_error: Some(AttemptError::Timeout),
        ..delivered(to, position)
    }
}

fn behind(to: u8, position: u64) -> Delivery {
    Delivery { next_at: None, attempts: 0, tries: 0, last_error: None, ..retried(to, position, 0) }
}

async fn record(store: &dyn Deliveries, cursor: u64, deliveries: Vec<Delivery>) {
    let to = deliveries.first().expect("some").id.endpoint;
    let progress = DeliveryProgress { cursor: Position(cursor), failing_since: None };
    let batch = DeliveryBatch { progress, deliveries, attempts: Vec::new() };
    store.record_deliveries(to, batch).await.expect("recorded");
}

fn positions(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.id.position.0).collect()
}

async fn find(store: &dyn Deliveries, delivery: &Delivery) -> Option<Delivery> {
    store.delivery(delivery.id).await.expect("read").map(|(delivery, _)| delivery)
}

/// Cursor, what lies beyond it, and the builds that wait.
pub async fn what_was_recorded_is_known_after_opening_again<S: Subject>() {
    let subject = S::empty().await;
    let of_build = |n, delivery| Delivery { build: Some(build(n)), ..delivery };
    let batch = DeliveryBatch {
        progress: DeliveryProgress { cursor: Position(5), failing_since: Some(at(7)) },
        deliveries: vec![
            delivered(1, 3),
            delivered(1, 8),
            of_build(2, retried(1, 4, 60)),
            of_build(2, behind(1, 6)),
            of_build(3, behind(1, 9)),
        ],
        attempts: Vec::new(),
    };
    subject.deliveries().record_deliveries(endpoint(1), batch.clone()).await.expect("recorded");
    record(subject.deliveries().as_ref(), 70, vec![delivered(2, 70)]).await;
    let subject = subject.reopened().await;
    let known = subject.deliveries().load_deliveries(endpoint(1)).await.expect("read").expect("known");
    assert_eq!(known.progress, batch.progress);
    assert_eq!(known.beyond, [6, 8, 9].map(Position));
    assert_eq!(known.waiting, [(build(2), Some(at(60))), (build(3), None)]);
    assert_eq!(subject.deliveries().load_deliveries(endpoint(3)).await.expect("read"), None);
}

/// What does not change is kept.
pub async fn a_delivery_is_recorded_again_as_it_stands_then<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.deliveries();
    for (cursor, delivery) in [(1, retried(1, 7, 5)), (2, dead(1, 7)), (9, delivered(1, 7))] {
        record(store.as_ref(), cursor, vec![delivery.clone()]).await;
        assert_eq!(find(store.as_ref(), &delivery).await, Some(delivery));
        let known = store.load_deliveries(endpoint(1)).await.expect("read").expect("known");
        assert_eq!(known.progress.cursor, Position(cursor));
    }
    assert_eq!(find(store.as_ref(), &delivered(2, 7)).await, None);
}

/// Not those that have ended or wait for another.
pub async fn the_next_deliveries_are_those_with_a_time_soonest_first<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.deliveries();
    let all = vec![
        retried(1, 1, 30),
        retried(1, 2, 10),
        behind(1, 3),
        dead(1, 4),
        delivered(1, 5),
        retried(1, 6, 20),
    ];
    record(store.as_ref(), 6, all).await;
    record(store.as_ref(), 6, vec![retried(2, 1, 0)]).await;
    let next = store.next_deliveries(endpoint(1), 9).await.expect("read");
    assert_eq!(positions(&next), [2, 6, 1]);
    assert_eq!(next.first(), Some(&retried(1, 2, 10)));
    assert_eq!(positions(&store.next_deliveries(endpoint(1), 2).await.expect("read")), [2, 6]);
}

/// Of one build, after a position.
pub async fn the_waiting_deliveries_of_a_build_come_in_order<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.deliveries();
    let other = Delivery { build: Some(build(2)), ..behind(1, 5) };
    let all = vec![retried(1, 2, 0), behind(1, 6), behind(1, 4), delivered(1, 3), other];
    record(store.as_ref(), 6, all).await;
    let waiting = async |after, limit| {
        let found = store.waiting_deliveries(endpoint(1), build(1), Position(after), limit).await;
        positions(&found.expect("read"))
    };
    assert_eq!(waiting(0, 9).await, [2, 4, 6]);
    assert_eq!(waiting(2, 1).await, [4]);
    assert_eq!(waiting(6, 9).await, Vec::<u64>::new());
}

/// In pages.
pub async fn lists_are_newest_first_of_one_endpoint_and_one_status<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.deliveries();
    let all = (1..=7).map(|n| if n % 2 == 0 { dead(1, n) } else { delivered(1, n) }).collect();
    record(store.as_ref(), 7, all).await;
    record(store.as_ref(), 9, vec![dead(2, 9)]).await;
    let page = async |status, before: Option<u64>| {
        let before = before.map(Position);
        let filter = DeliveryFilter { endpoint: endpoint(1), status, before, limit: 3 };
        let page = store.deliveries(&filter).await.expect("read");
        (positions(&page.deliveries), page.more)
    };
    assert_eq!(page(None, None).await, (vec![7, 6, 5], true));
    assert_eq!(page(None, Some(3)).await, (vec![2, 1], false));
    assert_eq!(page(Some(DeliveryStatus::Dead), None).await, (vec![6, 4, 2], false));
    assert_eq!(page(Some(DeliveryStatus::Delivered), Some(7)).await, (vec![5, 3, 1], false));
    assert_eq!(page(Some(DeliveryStatus::Pending), None).await, (vec![], false));
    let backlog = async |most| store.delivery_backlog(most).await.expect("counted");
    assert_eq!(backlog(99).await, DeliveryBacklog { pending: 0, dead: 4 });
    assert_eq!(backlog(2).await, DeliveryBacklog { pending: 0, dead: 2 });
}

/// Whatever a receiver answers.
pub async fn attempts_come_back_with_any_byte<S: Subject>() {
    let subject = S::empty().await;
    let attempts = vec![
        DeliveryAttempt {
            position: Position(7),
            number: 1,
            at: at(0),
            took: Duration::from_micros(1_234_567),
            status: Some(500),
            error: Some(AttemptError::Status),
            message: Some("nul \0 and “🦀”".to_owned()),
            response_headers: vec![("x-a".to_owned(), "\0ä".to_owned()), ("x-a".to_owned(), String::new())],
            response_body: (0..=255).collect::<Vec<u8>>().into(),
        },
        DeliveryAttempt {
            position: Position(7),
            number: 2,
            at: at(5),
            took: Duration::ZERO,
            status: None,
            error: None,
            message: None,
            response_headers: Vec::new(),
            response_body: bytes::Bytes::new(),
        },
    ];
    let batch = DeliveryBatch {
        progress: DeliveryProgress::default(),
        deliveries: vec![delivered(1, 7)],
        attempts: attempts.clone(),
    };
    // An answer may be lost, and the same is recorded again.
    for _ in 0..2 {
        subject.deliveries().record_deliveries(endpoint(1), batch.clone()).await.expect("recorded");
    }
    let subject = subject.reopened().await;
    let found = subject.deliveries().delivery(delivered(1, 7).id).await.expect("read");
    assert_eq!(found, Some((delivered(1, 7), attempts)));
}

/// Whatever became of it.
pub async fn a_delivery_that_is_asked_for_again_is_pending_and_its_endpoint_nudged_once<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.deliveries();
    record(store.as_ref(), 7, vec![dead(1, 6), delivered(1, 7)]).await;
    record(store.as_ref(), 7, vec![delivered(2, 7)]).await;
    assert_eq!(store.take_nudges().await.expect("read"), []);
    for before in [dead(1, 6), delivered(1, 7)] {
        let after = Delivery {
            status: DeliveryStatus::Pending,
            tries: 0,
            next_at: Some(at(99)),
            ended_at: None,
            ..before.clone()
        };
        assert_eq!(store.redeliver(before.id, at(99)).await.expect("answered"), Some(after.clone()));
        assert_eq!(find(store.as_ref(), &before).await, Some(after));
    }
    assert_eq!(store.redeliver(dead(1, 5).id, at(99)).await.expect("answered"), None);
    assert_eq!(store.take_nudges().await.expect("read"), [endpoint(1)]);
    assert_eq!(store.take_nudges().await.expect("read"), []);
}

/// In steps; nothing else is touched.
pub async fn dead_deliveries_are_asked_for_again_since_a_time<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.deliveries();
    let made = |seconds, delivery| Delivery { created_at: at(seconds), ..delivery };
    let all = vec![
        made(1, dead(1, 1)),
        made(2, dead(1, 2)),
        made(3, dead(1, 3)),
        made(4, dead(1, 4)),
        made(5, delivered(1, 5)),
    ];
    record(store.as_ref(), 7, all).await;
    record(store.as_ref(), 7, vec![made(9, dead(2, 9))]).await;
    let again =
        async |limit| store.redeliver_since(endpoint(1), at(2), at(99), limit).await.expect("changed");
    assert_eq!((again(2).await, again(2).await, again(2).await), (2, 1, 0));
    assert_eq!(positions(&store.next_deliveries(endpoint(1), 9).await.expect("read")), [2, 3, 4]);
    assert_eq!(store.take_nudges().await.expect("read"), [endpoint(1)]);
    assert_eq!(store.delivery_backlog(99).await.expect("counted"), DeliveryBacklog { pending: 3, dead: 2 });
}

/// With their attempts.
pub async fn old_deliveries_are_forgotten_in_steps<S: Subject>() {
    let subject = S::empty().await;
    let store = subject.deliveries();
    let all = (1..=5).map(|n| Delivery { created_at: at(n), ..delivered(1, n.cast_unsigned()) }).collect();
    record(store.as_ref(), 5, all).await;
    let prune = async |limit| store.prune_deliveries(at(4), limit).await.expect("pruned");
    assert_eq!((prune(2).await, prune(2).await, prune(2).await), (2, 1, 0));
    let filter = DeliveryFilter { endpoint: endpoint(1), status: None, before: None, limit: 9 };
    assert_eq!(positions(&store.deliveries(&filter).await.expect("read").deliveries), [5, 4]);
}

/// In steps, and nothing is of others.
pub async fn nothing_is_kept_of_endpoints_that_are_deleted<S: Subject>() {
    let subject = S::empty().await;
    let (store, list, secrets) = (subject.deliveries(), subject.endpoints(), subject.secrets());
    let sealed = SealedSecrets { version: Version(1), sealed: vec![1, 2, 3] };
    for n in [1, 2] {
        list.put_endpoints(&[row(n.into(), "shop")]).await.expect("stored");
        secrets.put_secrets(endpoint(n), &sealed).await.expect("stored");
        let all = vec![delivered(n, 1), dead(n, 2), retried(n, 3, 50)];
        let attempt = |n: u32| DeliveryAttempt {
            position: Position(2),
            number: n,
            at: at(0),
            took: Duration::ZERO,
            status: Some(500),
            error: Some(AttemptError::Status),
            message: None,
            response_headers: Vec::new(),
            response_body: bytes::Bytes::new(),
        };
        let progress = DeliveryProgress { cursor: Position(3), failing_since: None };
        let batch = DeliveryBatch { progress, deliveries: all, attempts: vec![attempt(1), attempt(2)] };
        store.record_deliveries(endpoint(n), batch).await.expect("recorded");
    }
    // One that no row is known of, as while the lists are folded anew.
    record(store.as_ref(), 9, vec![dead(3, 9)]).await;
    let forget = async |limit| store.forget_deleted(limit).await.expect("forgotten");
    assert_eq!(forget(9).await, 0);

    list.put_endpoints(&[newer(&row(1, "shop"), EndpointState::Deleted)]).await.expect("stored");
    assert_eq!((forget(2).await, forget(2).await, forget(2).await), (2, 1, 0));
    for position in 1..=3 {
        let id = DeliveryId { endpoint: endpoint(1), position: Position(position) };
        assert_eq!(store.delivery(id).await.expect("read"), None);
    }
    assert_eq!(store.load_deliveries(endpoint(1)).await.expect("read"), None);
    assert_eq!(secrets.secrets(endpoint(1)).await.expect("read"), None);

    let (_, attempts) = store.delivery(dead(2, 2).id).await.expect("read").expect("it is there");
    assert_eq!(attempts.len(), 2);
    let known = store.load_deliveries(endpoint(2)).await.expect("read").expect("a cursor");
    assert_eq!(known.progress.cursor, Position(3));
    assert_eq!(secrets.secrets(endpoint(2)).await.expect("read"), Some(sealed));
    assert!(find(store.as_ref(), &dead(3, 9)).await.is_some());
}
