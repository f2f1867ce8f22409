//! Endpoints that were made for one build, while that goes on and after.

use crate::{
    receiver::{Behaviour, Receiver},
    scene::{Scene, event_id, spec, until},
};
use domain::endpoint::{DeliveryOrder, EndpointSpec};
use ports::DeliveryStatus;
use std::sync::atomic::Ordering;
use testkit::stores::sample;

const OK: Behaviour = Behaviour::Answer(200, "");

/// An endpoint for one build.
fn only(build: u64, receiver: &Receiver) -> EndpointSpec {
    let order = DeliveryOrder::PerBuild;
    EndpointSpec { build: Some(sample::build(build)), order, ..spec(receiver.url()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_of_its_build_once_and_in_order_whoever_starts_in_the_middle() {
    const PART: u64 = 150;
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let (receiver, others) = (Receiver::begin(OK).await, Receiver::begin(OK).await);
    scene.happen(1, 0, 1).await;
    let id = scene.endpoint(1, only(1, &receiver)).await;
    let other = scene.endpoint(2, only(2, &others)).await;
    for part in 0..4 {
        // Some of it while nobody delivers, some while somebody does.
        scene.happen(1, 1 + part * 2 * PART, PART).await;
        scene.happen(2, part, 1).await;
        scene.start().await;
        scene.happen(1, 1 + part * 2 * PART + PART, PART).await;
        let so_far = usize::try_from((part * 2 + 1) * PART).expect("a number");
        until("it gets further", async || receiver.distinct().len() >= so_far).await;
        scene.stop().await;
    }
    scene.start().await;
    scene.happen(2, 4, 1).await;
    until("all is delivered", async || {
        let all = scene.deliveries(id).await;
        all.len() == 8 * 150 && all.iter().all(|one| one.status == DeliveryStatus::Delivered)
    })
    .await;
    until("of the other, too", async || scene.deliveries(other).await.len() == 5).await;
    scene.stop().await;
    assert_eq!(receiver.distinct(), (2..=8 * PART + 1).map(|n| event_id(1, n)).collect::<Vec<_>>());
    assert_eq!(others.distinct(), (1..=5).map(|n| event_id(2, n)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_it_holds_for_what_comes_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let (old, new) = (Receiver::begin(OK).await, Receiver::begin(OK).await);
    let id = scene.endpoint(1, only(1, &old)).await;
    scene.start().await;
    scene.happen(1, 0, 2).await;
    until("the old address is told", async || scene.deliveries(id).await.len() == 2).await;
    let url = new.url();
    scene.change(id, |spec| spec.url.clone_from(&url)).await;
    scene.happen(1, 2, 2).await;
    until("the new address is told", async || scene.deliveries(id).await.len() == 4).await;
    assert_eq!((old.distinct().len(), new.distinct().len()), (2, 2));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_other_builds_wakes_nobody() {
    const ENDPOINTS: u8 = 40;
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(OK).await;
    let mut ids = Vec::new();
    for n in 1..=ENDPOINTS {
        ids.push(scene.endpoint(n, only(1, &receiver)).await);
    }
    scene.start().await;
    scene.happen(1, 0, 2).await;
    scene.end(1, 2).await;
    for id in &ids {
        until("all is delivered", async || scene.deliveries(*id).await.len() == 3).await;
    }
    let witness = scene.endpoint(ENDPOINTS + 1, only(2, &receiver)).await;
    let before = scene.reads.load(Ordering::SeqCst);
    for n in 0..50 {
        scene.happen(2, n, 1).await;
        let so_far = usize::try_from(n).expect("a number") + 1;
        until("the witness is told", async || scene.deliveries(witness).await.len() == so_far).await;
    }
    // Those who look are the witness and whoever looks for all, each twice or so at an event.
    let reads = scene.reads.load(Ordering::SeqCst) - before;
    assert!(reads < 50 * usize::from(ENDPOINTS) / 4, "{reads} reads");
    scene.stop().await;
}
