//! What receivers get when nothing is wrong.

use crate::{
    receiver::{Behaviour, Receiver},
    scene::{Scene, SystemClock, event_id, spec, until},
};
use commands::Expected;
use domain::{
    EndpointId,
    endpoint::{Command, DeliveryOrder, EndpointSpec, PayloadKind, Signatures, Values},
};
use endpoints::{Change, Given};
use ports::{Clock, DeliveryStatus, Metadata};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use ulid::Ulid;
use webhooks::{MessageId, SimpleKey};

const OK: Behaviour = Behaviour::Answer(204, "");

#[tokio::test(flavor = "multi_thread")]
async fn every_event_after_its_creation_reaches_an_endpoint_once_and_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(OK).await;
    scene.happen(1, 0, 3).await;
    let both = EndpointSpec { signatures: Signatures::HmacAndEd25519, ..spec(receiver.url()) };
    let id = scene.endpoint(1, both).await;
    scene.start().await;
    scene.happen(1, 3, 40).await;
    until("40 deliveries", async || scene.deliveries(id).await.len() == 40).await;
    let got: BTreeSet<String> = receiver.distinct().into_iter().collect();
    assert_eq!(got, (4..=43).map(|n| event_id(1, n)).collect());
    assert_eq!(receiver.count(), 40);
    let request = receiver.requests().pop().expect("a request");
    let message = request.json();
    assert_eq!(message["id"], request.id());
    assert_eq!(message["type"], "task_completed");
    assert_eq!(message["buildId"], testkit::stores::sample::build(1).to_string());
    assert!(message["sequence"].as_u64() > Some(3) && message["data"]["number"].is_u64(), "{message}");
    // The stand-in for chance makes this secret.
    let key = SimpleKey::from(&webhooks::Secret::from_bytes([7; 32]));
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    let now = std::time::UNIX_EPOCH
        + Duration::from_millis(header("x-webhook-timestamp").expect("one").parse().expect("a number"));
    key.verify(header, request.body.as_bytes(), now, Duration::from_secs(1)).expect("a true signature");
    let signer = webhooks::Signer::new(webhooks::Secret::from_bytes([7; 32]));
    let message_id: MessageId = request.id().parse().expect("an id");
    let at = std::time::UNIX_EPOCH
        + Duration::from_secs(header("webhook-timestamp").expect("one").parse().expect("a number"));
    let expected = signer.sign(&message_id, at, request.body.as_bytes());
    let signatures = header("webhook-signature").expect("signatures");
    assert!(signatures.starts_with(expected.signature()) && signatures.contains(" v1a,"), "{signatures}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_gets_what_it_wants_of_its_own_tenant_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(OK).await;
    let nothing = EndpointSpec { events: vec!["build_*".to_owned()], ..spec(receiver.url()) };
    scene.endpoint(1, nothing).await;
    let thin = EndpointSpec { payload: PayloadKind::Thin, ..spec(receiver.url()) };
    let id = scene.endpoint(2, thin).await;
    scene.start().await;
    let acme = Metadata { actor: None, tenant: "acme".parse().expect("a name") };
    scene.append(5, 0, vec!["{}".to_owned()], acme).await;
    scene.happen(1, 0, 1).await;
    until("a delivery", async || !scene.deliveries(id).await.is_empty()).await;
    assert_eq!(receiver.distinct(), [event_id(1, 1)]);
    assert!(receiver.requests().iter().all(|request| request.json().get("data").is_none()));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_build_come_in_order_though_many_builds_are_told_of_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(OK).await;
    let ordered = EndpointSpec { order: DeliveryOrder::PerBuild, concurrency: 16, ..spec(receiver.url()) };
    let id = scene.endpoint(1, ordered).await;
    scene.start().await;
    for round in 0..10 {
        for build in 1..=8 {
            scene.happen(build, round * 5, 5).await;
        }
    }
    until("all deliveries", async || scene.deliveries(id).await.len() == 400).await;
    let got = receiver.distinct();
    for build in 1..=8 {
        let of_build: Vec<String> = (1..=50).map(|version| event_id(build, version)).collect();
        let came: Vec<&String> = got.iter().filter(|id| of_build.contains(id)).collect();
        assert_eq!(came, of_build.iter().collect::<Vec<_>>());
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_endpoint_holds_for_what_comes_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let (old, new) = (Receiver::begin(OK).await, Receiver::begin(OK).await);
    let id = scene.endpoint(1, spec(old.url())).await;
    scene.start().await;
    scene.happen(1, 0, 2).await;
    until("the old address is told", async || scene.deliveries(id).await.len() == 2).await;
    let url = new.url();
    scene.change(id, |spec| spec.url.clone_from(&url)).await;
    scene.happen(1, 2, 2).await;
    until("the new address is told", async || new.count() == 2).await;
    assert_eq!(old.count(), 2);
    until("all is stored", async || scene.deliveries(id).await.len() == 4).await;
    assert!(scene.deliveries(id).await.iter().all(|one| one.status == DeliveryStatus::Delivered));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_headers_are_not_sent_to_where_others_were_meant_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let (old, new, others) =
        (Receiver::begin(OK).await, Receiver::begin(OK).await, Receiver::begin(OK).await);
    let headers = |value: &str| BTreeMap::from([("authorization".to_owned(), value.to_owned())]);
    let names = vec!["authorization".to_owned()];
    let at = |url| EndpointSpec { header_names: names.clone(), ..spec(url) };
    let id = EndpointId::new(Ulid(1));
    let given = Given { headers: headers("one"), ..Given::default() };
    let made = scene.endpoints.create(id, "tester".into(), Default::default(), at(old.url()), given);
    made.await.expect("an endpoint");
    let witness = scene.endpoint(2, spec(others.url())).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    until("the old address is told", async || old.count() == 1).await;

    // Somebody gives another address with other values, and whoever carries it out dies in the middle.
    let update = Command::Update { spec: at(new.url()), values: Values::Replaced, at: SystemClock.now() };
    let died = scene.endpoints.execute(id, "tester".into(), &Expected::Any, |_| Ok(update.clone()));
    died.await.expect("an event");
    scene.happen(1, 1, 1).await;
    until("others are told", async || scene.deliveries(witness).await.len() == 2).await;
    // The client has no answer, and does it again.
    let again = |_: &EndpointSpec| Change { spec: at(new.url()), headers: Some(headers("two")) };
    scene.endpoints.update(id, "tester".into(), &Expected::Any, again).await.expect("changed");
    until("the new address is told", async || scene.deliveries(id).await.len() == 2).await;
    let values = |receiver: &Receiver| -> BTreeSet<String> {
        receiver.requests().iter().map(|request| request.headers["authorization"].clone()).collect()
    };
    assert_eq!(values(&new), BTreeSet::from(["two".to_owned()]));
    assert_eq!(values(&old), BTreeSet::from(["one".to_owned()]));
    scene.stop().await;
}
