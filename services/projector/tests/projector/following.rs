//! A projector at work.

use crate::{scene::*, store::Fate};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

struct Running {
    stop: CancellationToken,
    projector: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(scene: &Scene) -> Self {
        let (projector, stop) = (scene.projector(), CancellationToken::new());
        let token = stop.clone();
        Self { stop, projector: tokio::spawn(projector.run(token)) }
    }

    async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(1), self.projector).await;
        ended.expect("it ends when told to").unwrap();
    }
}

#[tokio::test]
async fn what_is_behind_shows_in_the_position_and_is_caught_up() {
    let scene = Scene::with_pages_of(1_000).await;
    scene.complete(build(1)).await;
    assert!(scene.projected() < scene.head());
    assert_eq!(scene.rows().await, []);

    let running = Running::start(&scene);
    scene.wait_until_projected(scene.head()).await;
    assert_eq!(scene.rows().await, Vec::from_iter(scene.expected(build(1)).await));

    scene.complete(build(2)).await;
    scene.wait_until_projected(scene.head()).await;
    assert_eq!(scene.rows().await.len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_write_that_fails_is_made_again_and_nothing_is_skipped() {
    let scene = Scene::with_pages_of(3).await;
    scene.complete(build(1)).await;
    scene.store.fate([Fate::Refused, Fate::Stored, Fate::Refused, Fate::StoredAndDenied, Fate::Stored]);
    let running = Running::start(&scene);
    scene.wait_until_projected(scene.head()).await;
    assert_eq!(scene.rows().await, Vec::from_iter(scene.expected(build(1)).await));
    running.stop().await;
}

#[tokio::test]
async fn what_is_thrown_away_is_folded_again_by_whoever_is_at_work_and_comes_to_the_same() {
    let scene = Scene::with_pages_of(3).await;
    for of in 1..=3 {
        scene.complete(build(of)).await;
    }
    let running = Running::start(&scene);
    scene.wait_until_projected(scene.head()).await;
    let rows = scene.rows().await;

    // When another throws them away, dies, and nothing happens any more
    scene.projector().begin_again().await.unwrap();

    // Then
    scene.wait_until_projected(scene.head()).await;
    assert_eq!(scene.rows().await, rows);
    running.stop().await;
}

#[tokio::test]
async fn a_projector_that_waits_for_its_store_can_be_stopped() {
    let scene = Scene::with_pages_of(1_000).await;
    scene.complete(build(1)).await;
    scene.store.fate([Fate::Refused; 100]);
    let running = Running::start(&scene);
    // By now it waits longer between two tries than it may take to stop.
    soon(scene.store.wait_for_write(6)).await;
    running.stop().await;
}
