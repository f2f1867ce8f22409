//! Looking at a build.

use crate::scene::*;
use domain::build::BuildStatus;
use ports::Version;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_sees_every_command_that_was_answered_before() {
    let scene = Arc::new(Scene::new().await);
    scene.submit(build(1), 64).await;
    let clients = (0..64).map(|task| {
        let scene = Arc::clone(&scene);
        tokio::spawn(async move {
            let executed = scene.execute(build(1), start(task)).await.unwrap();
            let seen = scene.builds.read(build(1), |loaded| loaded.version).await.unwrap().unwrap();
            assert!(seen >= executed.version, "{seen} after {}", executed.version);
        })
    });
    for client in clients.collect::<Vec<_>>() {
        soon(client).await.unwrap();
    }
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn a_read_waits_for_the_append_under_way() {
    let scene = Scene::new().await;
    scene.submit(build(1), 1).await;
    let cancelled = scene.occupy(build(1), cancel()).await;
    let mut reading = Box::pin(scene.builds.read(build(1), |loaded| loaded.build.status));
    assert!(
        futures::poll!(&mut reading).is_pending(),
        "what is not stored is not shown, nor what it replaces"
    );
    scene.store.let_go();
    soon(cancelled).await.unwrap();
    assert_eq!(soon(reading).await.unwrap(), Some(BuildStatus::Cancelled));
}

#[tokio::test]
async fn a_build_can_be_seen_as_it_was_at_any_version_it_had() {
    let scene = Scene::new().await;
    scene.submit(build(1), 1).await;
    for command in [start(0), cancel()] {
        scene.execute(build(1), command).await.unwrap();
    }
    let stream = scene.stream(build(1)).await;
    for event in &stream {
        let then = scene.builds.at(build(1), event.version).await.unwrap().unwrap();
        assert_eq!((then.version, then.position), (event.version, event.position));
        let ended = event.version == stream.last().unwrap().version;
        assert_eq!(then.build.status == BuildStatus::Cancelled, ended);
    }
    let beyond = Version(stream.len() as u64 + 1);
    assert!(scene.builds.at(build(1), beyond).await.unwrap().is_none());
    assert!(scene.builds.at(build(1), Version(0)).await.unwrap().is_none());
    assert!(scene.builds.at(build(2), Version(1)).await.unwrap().is_none());
}
