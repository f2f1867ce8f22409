//! What is asked for again.

use crate::{
    receiver::{Behaviour, Receiver},
    scene::{Scene, SystemClock, event_id, schedule, spec, until},
};
use chrono::TimeDelta;
use domain::endpoint::EndpointSpec;
use ports::{Clock, Deliveries, DeliveryStatus};
use std::sync::Arc;
use tokio::sync::Semaphore;

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_delivered_when_they_are_asked_for_under_the_same_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 10]);
    let receiver = Receiver::begin(Behaviour::Answer(500, "")).await;
    let id = scene.endpoint(1, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 5).await;
    until("five are dead", async || {
        let all = scene.deliveries(id).await;
        all.len() == 5 && all.iter().all(|one| one.status == DeliveryStatus::Dead)
    })
    .await;
    receiver.behave(Behaviour::Answer(200, ""));
    let first = scene.deliveries(id).await.remove(0);
    scene.store.redeliver(first.id, SystemClock.now()).await.expect("asked").expect("a delivery");
    let delivered = async || {
        let all = scene.deliveries(id).await;
        all.iter().filter(|one| one.status == DeliveryStatus::Delivered).count()
    };
    until("one is delivered", async || delivered().await == 1).await;
    let since = SystemClock.now() - TimeDelta::hours(1);
    assert_eq!(scene.store.redeliver_since(id, since, SystemClock.now(), 100).await.expect("asked"), 4);
    until("all are delivered", async || delivered().await == 5).await;
    assert_eq!(receiver.distinct().len(), 5);
    let (delivery, attempts) = scene.store.delivery(first.id).await.expect("read").expect("a delivery");
    assert_eq!((delivery.attempts, delivery.tries), (3, 1));
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    // Also one that was delivered.
    scene.store.redeliver(first.id, SystemClock.now()).await.expect("asked");
    let of_first = || receiver.requests().iter().filter(|request| request.id() == event_id(1, 1)).count();
    until("it comes again", async || of_first() == 4).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_read_again_keeps_nobody_from_reading() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0]);
    // Given many events that could not be delivered
    let receiver = Receiver::begin(Behaviour::Answer(500, "")).await;
    let mut ids = Vec::new();
    for n in 1..=3 {
        let many = EndpointSpec { concurrency: 8, ..spec(receiver.url()) };
        ids.push(scene.endpoint(n, many).await);
    }
    scene.start().await;
    scene.happen(1, 0, 40).await;
    let with = async |status| {
        let mut count = 0;
        for id in &ids {
            count += scene.deliveries(*id).await.iter().filter(|one| one.status == status).count();
        }
        count
    };
    until("all are dead", async || with(DeliveryStatus::Dead).await == 120).await;

    // When all are asked for again while more has happened, and the store has one connection only
    scene.stop().await;
    scene.happen(2, 0, 300).await;
    receiver.behave(Behaviour::Answer(200, ""));
    let since = SystemClock.now() - TimeDelta::hours(1);
    for id in &ids {
        scene.store.redeliver_since(*id, since, SystemClock.now(), 100).await.expect("asked");
    }
    scene.turns = Arc::new(Semaphore::new(1));
    scene.start().await;

    // Then none of them waits for another for ever
    let delivered = async || {
        let mut count = 0;
        for id in &ids {
            let all = scene.deliveries(*id).await;
            count += all.iter().filter(|one| one.status == DeliveryStatus::Delivered).count();
        }
        count
    };
    until("all are delivered", async || delivered().await == 3 * 340).await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(Behaviour::Answer(200, "")).await;
    let id = scene.endpoint(1, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 5).await;
    until("five are delivered", async || scene.deliveries(id).await.len() == 5).await;
    scene.settings.keep = std::time::Duration::ZERO;
    scene.settings.prune_every = std::time::Duration::from_millis(100);
    scene.settings.prune_step = 2;
    scene.start().await;
    until("none is left", async || scene.deliveries(id).await.is_empty()).await;
    assert_eq!(receiver.count(), 5);
    scene.stop().await;
}
