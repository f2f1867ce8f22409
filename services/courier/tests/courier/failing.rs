//! Receivers that fail in every way.

use crate::{
    receiver::{Behaviour, Receiver},
    scene::{Scene, SystemClock, event_id, schedule, spec, until},
};
use commands::Expected;
use domain::endpoint::{Command, DeliveryOrder, DisabledReason, EndpointSpec, EndpointState};
use ports::{AttemptError, Clock, Deliveries, Delivery, DeliveryAttempt, DeliveryStatus, EventStore};
use std::time::Duration;
use webhooks::Schedule;

async fn attempts(scene: &Scene, delivery: &Delivery) -> Vec<DeliveryAttempt> {
    scene.store.delivery(delivery.id).await.expect("read").expect("a delivery").1
}

#[tokio::test(flavor = "multi_thread")]
async fn every_failure_is_classed_and_leads_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0]);
    let elsewhere = Receiver::begin(Behaviour::Answer(200, "")).await;
    let location: &'static str = format!("location: {}\r\n", elsewhere.url()).leak();
    let cases = [
        (Behaviour::Answer(500, ""), AttemptError::Status, Some(500)),
        (Behaviour::Answer(302, location), AttemptError::Status, Some(302)),
        (Behaviour::Reset, AttemptError::Reset, None),
        (Behaviour::Hang, AttemptError::Timeout, None),
        (Behaviour::Drip, AttemptError::Timeout, Some(200)),
    ];
    let mut endpoints = Vec::new();
    for (n, (behaviour, error, status)) in (1..).zip(cases) {
        let receiver = Receiver::begin(behaviour).await;
        let quick = EndpointSpec { timeout_seconds: 1, ..spec(receiver.url()) };
        endpoints.push((scene.endpoint(n, quick).await, error, status, receiver));
    }
    // One that is inside, and one where nobody is.
    let inside = scene.endpoint(100, spec("http://169.254.169.254/".to_owned())).await;
    let nobody = scene.endpoint(101, spec("http://127.0.0.1:1/".to_owned())).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    let dead = async |id| {
        until("a dead delivery", async || {
            scene.deliveries(id).await.iter().any(|one| one.status == DeliveryStatus::Dead)
        })
        .await;
        scene.deliveries(id).await.remove(0)
    };
    for (id, error, status, receiver) in endpoints {
        let delivery = dead(id).await;
        assert_eq!((delivery.last_error, delivery.last_status), (Some(error), status));
        let attempts = attempts(&scene, &delivery).await;
        assert_eq!((attempts.len(), receiver.count()), (1, 1));
        assert_eq!(attempts[0].error, Some(error));
    }
    assert_eq!(dead(inside).await.last_error, Some(AttemptError::Refused));
    assert_eq!(dead(nobody).await.last_error, Some(AttemptError::Connect));
    assert_eq!(elsewhere.count(), 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_answer_without_end_the_beginning_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(Behaviour::Flood).await;
    let id = scene.endpoint(1, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    until("a delivery", async || !scene.deliveries(id).await.is_empty()).await;
    let delivery = scene.deliveries(id).await.remove(0);
    let attempts = attempts(&scene, &delivery).await;
    assert_eq!(attempts[0].status, Some(200));
    assert_eq!(attempts[0].response_body.len(), 20_000);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_also_by_a_courier_that_starts_in_the_middle_of_the_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 1_500, 100]);
    let receiver = Receiver::begin(Behaviour::Answer(500, "")).await;
    let id = scene.endpoint(1, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    until("a pending delivery", async || !scene.deliveries(id).await.is_empty()).await;
    scene.start().await;
    receiver.behave(Behaviour::Answer(200, ""));
    until("it is delivered", async || scene.deliveries(id).await[0].status == DeliveryStatus::Delivered)
        .await;
    assert_eq!(receiver.requests().len(), 2);
    assert_eq!(receiver.distinct(), [event_id(1, 1)]);
    let delivery = scene.deliveries(id).await.remove(0);
    let attempts = attempts(&scene, &delivery).await;
    assert!(attempts[1].at - attempts[0].at >= chrono::TimeDelta::milliseconds(1_500), "{attempts:?}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_time_gets_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 10, 10]);
    let receiver = Receiver::begin(Behaviour::Answer(429, "retry-after: 2\r\n")).await;
    let id = scene.endpoint(1, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    until("a pending delivery", async || !scene.deliveries(id).await.is_empty()).await;
    receiver.behave(Behaviour::Answer(200, ""));
    until("it is delivered", async || scene.deliveries(id).await[0].status == DeliveryStatus::Delivered)
        .await;
    let delivery = scene.deliveries(id).await.remove(0);
    let attempts = attempts(&scene, &delivery).await;
    assert!(attempts[1].at - attempts[0].at >= chrono::TimeDelta::seconds(2), "{attempts:?}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_receiver_says_of_later_it_is_tried_again_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let waits = [0, 50, 50, 50].map(Duration::from_millis).into();
    let longest = Duration::from_millis(400);
    scene.settings.schedule = Schedule::new(waits, 0, longest).expect("a schedule");
    scene.settings.longest_pause = longest;
    let mut endpoints = Vec::new();
    for (n, (later, at_least)) in (1..).zip([
        ("99999999999999999999999999", longest),
        ("Fri, 31 Dec 9999 23:59:59 GMT", longest),
        ("soon", Duration::from_millis(50)),
        ("-1", Duration::from_millis(50)),
        ("", Duration::from_millis(50)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Duration::from_millis(50)),
        ("0", Duration::from_millis(50)),
    ]) {
        let header: &'static str = format!("retry-after: {later}\r\n").leak();
        let receiver = Receiver::begin(Behaviour::Answer(503, header)).await;
        endpoints.push((scene.endpoint(n, spec(receiver.url())).await, at_least, receiver, later));
    }
    scene.start().await;
    scene.happen(1, 0, 1).await;
    for (id, at_least, receiver, later) in endpoints {
        until("it is dead", async || {
            scene.deliveries(id).await.iter().any(|one| one.status == DeliveryStatus::Dead)
        })
        .await;
        let delivery = scene.deliveries(id).await.remove(0);
        let attempts = attempts(&scene, &delivery).await;
        assert_eq!((attempts.len(), receiver.count()), (4, 4), "{later}");
        let at_least = chrono::TimeDelta::from_std(at_least).expect("a time");
        assert!(attempts.windows(2).all(|two| two[1].at - two[0].at >= at_least), "{later}: {attempts:?}");
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_disabled_and_told_nothing_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    let receiver = Receiver::begin(Behaviour::Answer(410, "")).await;
    let one = EndpointSpec { concurrency: 1, ..spec(receiver.url()) };
    let id = scene.endpoint(1, one).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    until("it is disabled", async || {
        matches!(scene.state(id).await, EndpointState::Disabled { reason: DisabledReason::Gone, .. })
    })
    .await;
    until("nothing is under way", async || scene.gauges.snapshot().endpoints == 0).await;
    let before = receiver.count();
    scene.happen(1, 1, 3).await;
    let other = Receiver::begin(Behaviour::Answer(200, "")).await;
    let witness = scene.endpoint(2, spec(other.url())).await;
    scene.happen(1, 4, 1).await;
    until("others are told", async || !scene.deliveries(witness).await.is_empty()).await;
    assert_eq!(receiver.count(), before);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_only_fails_is_disabled_after_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 300, 300, 300, 300, 300, 300, 300, 300]);
    scene.settings.patience = Duration::from_millis(700);
    let receiver = Receiver::begin(Behaviour::Answer(500, "")).await;
    let id = scene.endpoint(1, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    until("it is disabled", async || {
        matches!(
            scene.state(id).await,
            EndpointState::Disabled { reason: DisabledReason::Failing { .. }, .. }
        )
    })
    .await;
    assert!(receiver.count() >= 2);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_was_enabled_has_all_its_time_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 100, 100, 100, 100, 100, 100, 100, 100]);
    scene.settings.patience = Duration::from_millis(300);
    let receiver = Receiver::begin(Behaviour::Answer(500, "")).await;
    let id = scene.endpoint(1, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 1).await;
    let failing_since = async || match scene.state(id).await {
        EndpointState::Disabled { reason: DisabledReason::Failing { since }, .. } => Some(since),
        _ => None,
    };
    until("it is disabled", async || failing_since().await.is_some()).await;
    let (from, at) = (scene.store.head().borrow().0, SystemClock.now());
    let enable = Command::Enable { from, at };
    let enabled = scene.endpoints.execute(id, "tester".into(), &Expected::Any, |_| Ok(enable.clone()));
    enabled.await.expect("enabled");
    scene.happen(1, 1, 2).await;
    until("it is disabled again", async || failing_since().await.is_some()).await;
    assert!(failing_since().await >= Some(at), "what failed before it was enabled counts");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_event_holds_back_its_own_build_and_then_all_come_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    scene.settings.schedule = schedule(&[0, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400]);
    let receiver = Receiver::begin(Behaviour::Answer(500, "")).await;
    let ordered = EndpointSpec { order: DeliveryOrder::PerBuild, ..spec(receiver.url()) };
    let id = scene.endpoint(1, ordered).await;
    scene.start().await;
    scene.happen(1, 0, 100).await;
    until("all have a row", async || scene.deliveries(id).await.len() == 100).await;
    assert!(receiver.distinct().len() <= 1);
    // In the middle of it, another courier takes over.
    scene.start().await;
    scene.happen(1, 100, 100).await;
    receiver.behave(Behaviour::Answer(200, ""));
    scene.happen(2, 0, 1).await;
    until("all are delivered", async || {
        let all = scene.deliveries(id).await;
        all.len() == 201 && all.iter().all(|one| one.status == DeliveryStatus::Delivered)
    })
    .await;
    let got = receiver.distinct();
    let of_first: Vec<&String> = got.iter().filter(|id| **id != event_id(2, 1)).collect();
    let expected: Vec<String> = (1..=200).map(|version| event_id(1, version)).collect();
    assert_eq!(of_first, expected.iter().collect::<Vec<_>>());
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_endpoint_keeps_another_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::over(folder.path()).await;
    // Fewer requests at once than there are endpoints that hang.
    scene.settings.at_once = 2;
    let hanging = Receiver::begin(Behaviour::Hang).await;
    for n in 1..=8 {
        let patient = EndpointSpec { timeout_seconds: 60, concurrency: 50, ..spec(hanging.url()) };
        scene.endpoint(n, patient).await;
    }
    let receiver = Receiver::begin(Behaviour::Answer(200, "")).await;
    let id = scene.endpoint(9, spec(receiver.url())).await;
    scene.start().await;
    scene.happen(1, 0, 100).await;
    until("100 deliveries", async || scene.deliveries(id).await.len() == 100).await;
    assert!(hanging.count() >= 8 && hanging.count() <= 10, "{}", hanging.count());
    scene.stop().await;
}
