//! Endpoints that were made for one build, and what is left of endpoints that are gone.

use crate::{
    receiver::{Behaviour, Receiver},
    scene::{Scene, SystemClock, schedule, spec, until},
};
use chrono::TimeDelta;
use commands::Expected;
use domain::{
    Endpoint, EndpointId,
    build::BuildStatus,
    endpoint::{Command, DisabledReason, EndpointSpec},
};
use ports::{
    BuildSummary, Clock, Deliveries, DeliveryStatus, EndpointList, EndpointRow, EndpointSecrets, EventStore,
    ReadModels, RecordedEvent, StreamId, Version,
};
use std::{path::Path, time::Duration};
use testkit::stores::sample;

/// An endpoint for one build.
fn only(build: u64, receiver: &Receiver) -> EndpointSpec {
    EndpointSpec { build: Some(sample::build(build)), ..spec(receiver.url()) }
}

async fn at_once(folder: &Path) -> Scene {
    let mut scene = Scene::over(folder).await;
    scene.settings.keep_one_off = Duration::ZERO;
    scene
}

/// Stores what a projector would: of an endpoint.
async fn project(scene: &Scene, id: EndpointId) {
    let events = scene.store.read_stream(StreamId::Endpoint(id), Version(0), 100).await.expect("read");
    let apply =
        |known, event: &RecordedEvent| Endpoint::apply(known, &event.endpoint_event().expect("an event"));
    let endpoint = events.iter().fold(None, apply).expect("an endpoint");
    let version = events.last().expect("an event").version;
    scene.store.put_endpoints(&[EndpointRow { id, version, endpoint }]).await.expect("stored");
}

/// Of a build that is over.
async fn project_end(scene: &Scene, build: u64) {
    let row = BuildSummary { status: BuildStatus::Completed, ..sample::summary(build) };
    let head = *scene.store.head().borrow();
    scene.store.project(vec![row], head).await.expect("stored");
}

/// Carries out a command as somebody would who dies right after.
async fn execute(scene: &Scene, id: EndpointId, command: Command) {
    let done = scene.endpoints.execute(id, "tester".into(), &Expected::Any, |_| Ok(command.clone()));
    done.await.expect("done");
}

async fn statuses(scene: &Scene, id: EndpointId) -> Vec<DeliveryStatus> {
    scene.deliveries(id).await.iter().map(|delivery| delivery.status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_made_for_a_build_goes_when_that_is_over_and_all_is_delivered() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = at_once(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 3_000, 100, 100, 100]);
    let (sick, healthy) = (
        Receiver::begin(Behaviour::Answer(500, "")).await,
        Receiver::begin(Behaviour::Answer(200, "")).await,
    );
    let waiting = scene.endpoint(1, only(1, &sick)).await;
    let done = scene.endpoint(2, only(2, &healthy)).await;
    let open = scene.endpoint(3, only(3, &healthy)).await;
    scene.start().await;
    for build in 1..=3 {
        scene.happen(build, 0, 3).await;
    }
    scene.end(1, 3).await;
    scene.end(2, 3).await;
    until("the one that has everything is gone", async || scene.is_gone(done).await).await;
    assert!(!scene.is_gone(open).await, "its build goes on");
    assert_eq!(healthy.count(), 7);

    // The other has not been told of anything yet.
    until("all are pending", async || statuses(&scene, waiting).await.len() == 4).await;
    sick.behave(Behaviour::Answer(200, ""));
    until("it is gone, too", async || scene.is_gone(waiting).await).await;
    assert_eq!(statuses(&scene, waiting).await, [DeliveryStatus::Delivered; 4]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_keeps_no_endpoint() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = at_once(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 10]);
    let receiver = Receiver::begin(Behaviour::Answer(500, "")).await;
    let id = scene.endpoint(1, only(1, &receiver)).await;
    scene.start().await;
    scene.happen(1, 0, 2).await;
    scene.end(1, 2).await;
    until("it is gone", async || scene.is_gone(id).await).await;
    assert_eq!(statuses(&scene, id).await, [DeliveryStatus::Dead; 3]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_that_starts_later_knows_that_the_build_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(Behaviour::Answer(200, "")).await;
    let id = scene.endpoint(1, only(1, &receiver)).await;
    scene.start().await;
    scene.happen(1, 0, 2).await;
    scene.end(1, 2).await;
    until("all is delivered", async || statuses(&scene, id).await.len() == 3).await;
    scene.stop().await;
    assert!(!scene.is_gone(id).await, "it may be looked at for a while");

    project(&scene, id).await;
    project_end(&scene, 1).await;
    scene.settings.keep_one_off = Duration::ZERO;
    scene.start().await;
    until("it is gone", async || scene.is_gone(id).await).await;
    assert_eq!(receiver.count(), 3);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_disabled_long_ago_is_not_kept_for_a_build_that_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = at_once(folder.path()).await;
    scene.settings.keep = Duration::from_hours(1);
    scene.settings.prune_every = Duration::from_millis(100);
    let receiver = Receiver::begin(Behaviour::Answer(200, "")).await;
    let mut ids = Vec::new();
    for (n, hours) in [(1, 2), (2, 0)] {
        let id = scene.endpoint(n, only(n.into(), &receiver)).await;
        let at = SystemClock.now() - TimeDelta::hours(hours);
        let disable = Command::Disable { reason: DisabledReason::ByClient, at };
        execute(&scene, id, disable).await;
        project(&scene, id).await;
        ids.push(id);
    }
    project_end(&scene, 1).await;
    scene.start().await;
    until("it is gone", async || scene.is_gone(ids[0]).await).await;
    assert!(!scene.is_gone(ids[1]).await, "it may be enabled");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_an_endpoint_that_was_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.prune_every = Duration::from_millis(100);
    scene.settings.prune_step = 2;
    let receiver = Receiver::begin(Behaviour::Answer(200, "")).await;
    let (id, other) =
        (scene.endpoint(1, spec(receiver.url())).await, scene.endpoint(2, spec(receiver.url())).await);
    scene.start().await;
    scene.happen(1, 0, 5).await;
    until("all is delivered", async || {
        statuses(&scene, id).await.len() == 5 && statuses(&scene, other).await.len() == 5
    })
    .await;
    // Its secrets are not forgotten: whoever deletes it dies before.
    let delete = Command::Delete { at: SystemClock.now() };
    execute(&scene, id, delete).await;
    assert!(scene.store.secrets(id).await.expect("read").is_some());
    project(&scene, id).await;
    until("nothing is left", async || {
        scene.deliveries(id).await.is_empty()
            && scene.store.load_deliveries(id).await.expect("read").is_none()
            && scene.store.secrets(id).await.expect("read").is_none()
    })
    .await;
    assert_eq!(statuses(&scene, other).await.len(), 5);
    scene.stop().await;
}
