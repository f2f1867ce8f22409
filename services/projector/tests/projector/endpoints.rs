//! The rows of webhook endpoints are folds of their streams, among the events of builds.

use crate::{scene::*, store::Fate};
use domain::{
    EndpointId,
    endpoint::{DeliveryOrder, EndpointEvent, EndpointSpec, EndpointState, PayloadKind, Signatures, data},
};
use ports::{Append, EndpointList, EventStore, Metadata, NewEvent, ReadModels, StreamId, Version};
use std::collections::BTreeMap;
use ulid::Ulid;

fn endpoint(n: u64) -> EndpointId {
    EndpointId::new(Ulid(n.into()))
}

fn created(n: u64) -> EndpointEvent {
    let spec = EndpointSpec {
        url: format!("https://example.com/{n}"),
        description: String::new(),
        events: vec!["*".into()],
        projects: Vec::new(),
        labels: BTreeMap::new(),
        payload: PayloadKind::Full,
        header_names: Vec::new(),
        order: DeliveryOrder::Any,
        rate_per_second: None,
        concurrency: 1,
        timeout_seconds: 15,
        signatures: Signatures::Hmac,
        build: None,
    };
    data::EndpointCreated { tenant: Default::default(), spec, from: 0, at: noon() }.into()
}

async fn append(scene: &Scene, n: u64, expected: u64, event: EndpointEvent) {
    let append = Append {
        stream: StreamId::Endpoint(endpoint(n)),
        expected: Version(expected),
        events: vec![NewEvent::endpoint(&event).expect("encoded")],
        metadata: Metadata::default(),
        recorded_at: noon(),
    };
    scene.store.append(append).await.expect("stored");
}

async fn happen(scene: &Scene) {
    append(scene, 1, 0, created(1)).await;
    append(scene, 2, 0, created(2)).await;
    append(scene, 1, 1, data::EndpointEnabled { from: 9, at: noon() }.into()).await;
    append(scene, 2, 1, data::EndpointDeleted { at: noon() }.into()).await;
}

async fn check(scene: &Scene) {
    assert_eq!(scene.projected(), scene.head());
    let rows = scene.endpoints.all_endpoints(None, 10).await.expect("rows");
    let seen: Vec<_> = rows.iter().map(|row| (row.id, row.version, row.endpoint.from)).collect();
    assert_eq!(seen, [(endpoint(1), Version(2), 9)]);
    let deleted = scene.endpoints.endpoint_rows(&[endpoint(2)]).await.expect("rows");
    assert_eq!(deleted.first().map(|row| row.endpoint.state), Some(EndpointState::Deleted));
}

#[tokio::test]
async fn endpoints_are_folded_event_by_event_or_all_together() {
    for page in [1, 100] {
        let scene = Scene::with_pages_of(page).await;
        happen(&scene).await;
        scene.catch_up().await;
        check(&scene).await;
    }
}

#[tokio::test]
async fn what_was_stored_before_the_position_was_is_stored_again_without_harm() {
    let scene = Scene::with_pages_of(2).await;
    happen(&scene).await;
    scene.store.fate([Fate::Refused]);
    scene.projector().catch_up(&Default::default()).await.expect_err("the store is broken");
    assert_ne!(scene.projected(), scene.head());
    scene.catch_up().await;
    check(&scene).await;
}

#[tokio::test]
async fn read_models_that_begin_again_have_the_same_endpoints() {
    let scene = Scene::with_pages_of(1).await;
    happen(&scene).await;
    scene.catch_up().await;
    scene.store.reset().await.expect("reset");
    scene.catch_up().await;
    check(&scene).await;
}
