//! A POST that comes twice.

use crate::support::{Api, Client, client, key, pointers, problem};
use buildwright_api::{ApiSettings, IdempotencySettings};
use futures::future::join_all;
use names::{KeyId, Scope};
use ports::{KeyChange, KeyLimits};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use ulid::Ulid;

const PATH: &str = "/v1/builds";

async fn post(api: &Api, path: &str, key: &str, body: &Value) -> Response {
    api.request(Method::POST, path).header("idempotency-key", key).json(body).send().await.unwrap()
}

async fn among_several(idempotency: IdempotencySettings) -> Api {
    Api::among_several(ApiSettings { idempotency, ..ApiSettings::default() }).await
}

fn order() -> Value {
    json!({"prompt": "once"})
}

#[tokio::test]
async fn the_same_request_is_answered_as_the_first_time() {
    let api = Api::start().await;
    let first = post(&api, PATH, "\"a-key\"", &order()).await;
    assert_eq!(first.status(), 202);
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let (location, etag) = (first.headers()["location"].clone(), first.headers()["etag"].clone());
    let body = first.bytes().await.unwrap();
    let id: Value = serde_json::from_slice(&body).unwrap();
    api.command(id["id"].as_str().unwrap().parse().unwrap(), cancel(&api)).await;
    let events = api.stored_events();

    let again = post(&api, PATH, "a-key", &order()).await;

    assert_eq!(again.status(), 202);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.headers()["content-type"], "application/json");
    assert_eq!((&again.headers()["location"], &again.headers()["etag"]), (&location, &etag));
    assert_eq!(again.bytes().await.unwrap(), body, "as it was then");
    assert_eq!(api.stored_events(), events);
}

fn cancel(api: &Api) -> domain::build::Command {
    domain::build::Command::Cancel { reason: None, at: api.app.clock.now() }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_stays_wrong_with_it() {
    let api = Api::start().await;
    for replayed in [false, true] {
        let response = post(&api, PATH, "k", &json!({"prompt": ""})).await;
        assert_eq!(response.headers().contains_key("idempotency-replayed"), replayed);
        problem(response, 422, "invalid_request").await;
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let api = Api::start().await;
    assert_eq!(post(&api, PATH, "k", &order()).await.status(), 202);
    let events = api.stored_events();

    problem(post(&api, PATH, "k", &json!({"prompt": "twice"})).await, 422, "idempotency_key_reused").await;
    problem(post(&api, "/v1/builds?x=1", "k", &order()).await, 422, "idempotency_key_reused").await;

    assert_eq!(api.stored_events(), events);
}

#[tokio::test]
async fn a_key_counts_on_its_route_only() {
    let api = Api::start().await;
    let one = api.submit_chain(1).await;
    let two = api.submit_chain(1).await;
    for id in [one, two] {
        let response = post(&api, &format!("/v1/builds/{id}/cancel"), "k", &json!({})).await;
        assert_eq!(response.status(), 202);
        assert_eq!(response.json::<Value>().await.unwrap()["id"], id.to_string());
    }
    let response = post(&api, &format!("/v1/builds/{one}/cancel"), "k", &json!({})).await;
    assert_eq!(response.headers()["idempotency-replayed"], "true");
}

#[tokio::test]
async fn a_header_that_is_no_key_is_named() {
    let api = Api::start().await;
    for key in ["", "\"\"", "a b", "\"open", &"k".repeat(256)] {
        let problem = problem(post(&api, PATH, key, &order()).await, 400, "invalid_parameters").await;
        assert_eq!(pointers(&problem), ["/idempotency-key"], "{key:?}");
        assert_eq!(problem["errors"][0]["in"], "header");
    }
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn many_at_once_make_one_build_over_several_replicas() {
    let api = among_several(IdempotencySettings::default()).await;
    let replica = api.replica().await;
    let body = order();
    let posts = (0..64).map(|n| post(if n % 2 == 0 { &api } else { &replica }, PATH, "k", &body));
    let (mut ids, mut in_flight) = (BTreeSet::new(), 0);
    for response in join_all(posts).await {
        if response.status() == 409 {
            in_flight += 1;
            assert!(response.headers().contains_key("retry-after"));
            problem(response, 409, "idempotency_in_flight").await;
        } else {
            assert_eq!(response.status(), 202);
            ids.insert(response.json::<Value>().await.unwrap()["id"].to_string());
        }
    }
    assert_eq!(ids.len(), 1);
    assert!(in_flight < 64);
    let list = api.json(PATH).await;
    assert_eq!(list["builds"].as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test]
async fn a_death_between_the_build_and_its_answer_makes_no_second_build() {
    let api = among_several(IdempotencySettings {
        // Of the clock here, every look at which takes a millisecond.
        lease: Duration::from_millis(100),
        ..IdempotencySettings::default()
    })
    .await;
    api.idempotency.deaf.store(true, Ordering::SeqCst);
    let lost: Value = post(&api, PATH, "k", &order()).await.json().await.unwrap();
    let events = api.stored_events();
    let replica = api.replica().await;
    drop(api);
    replica.idempotency.deaf.store(false, Ordering::SeqCst);
    problem(post(&replica, PATH, "k", &order()).await, 409, "idempotency_in_flight").await;
    for _ in 0..100 {
        replica.app.clock.now();
    }

    let taken_over = post(&replica, PATH, "k", &order()).await;

    assert_eq!(taken_over.status(), 202);
    assert_eq!(taken_over.headers()["location"], format!("/v1/builds/{}", lost["id"].as_str().unwrap()));
    assert_eq!(taken_over.json::<Value>().await.unwrap(), lost, "as if it had been made now");
    assert_eq!(replica.stored_events(), events);
    let again = post(&replica, PATH, "k", &order()).await;
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), lost);
}

#[tokio::test]
async fn what_failed_on_our_side_can_be_asked_again_at_once() {
    let api = Api::start().await;
    api.store.down.store(true, Ordering::SeqCst);
    problem(post(&api, PATH, "k", &order()).await, 503, "unavailable").await;
    api.store.down.store(false, Ordering::SeqCst);
    let response = post(&api, PATH, "k", &order()).await;
    assert_eq!(response.status(), 202);
    assert!(!response.headers().contains_key("idempotency-replayed"));

    api.idempotency.down.store(true, Ordering::SeqCst);
    let events = api.stored_events();
    problem(post(&api, PATH, "other", &order()).await, 503, "unavailable").await;
    assert_eq!(api.stored_events(), events, "what cannot be done once is not done");
}

#[tokio::test]
async fn a_refusal_that_depends_on_the_time_frees_the_key() {
    let api = Api::start().await;
    let path = "/v1/builds/bld_0000000000G00000000000000G/cancel";
    for _ in 0..2 {
        let response = post(&api, path, "k", &json!({})).await;
        assert!(!response.headers().contains_key("idempotency-replayed"));
        problem(response, 404, "build_unknown").await;
    }
    problem(post(&api, path, "k", &json!({"reason": "another"})).await, 404, "build_unknown").await;
}

#[tokio::test]
async fn a_client_that_hangs_up_finds_its_answer_later() {
    let api = Api::start().await;
    let settings = ApiSettings {
        body_timeout: Duration::ZERO,
        answer_timeout: Duration::ZERO,
        ..(*api.app.settings).clone()
    };
    let hasty = buildwright_api::App::new(buildwright_api::AppParts {
        settings: Arc::new(settings),
        ..buildwright_api::AppParts::clone(&api.app)
    });
    let patient = api.replica().await;
    let hasty = api.serving(hasty).await;
    // The answer comes too late, if at all; what was begun goes on.
    post(&hasty, PATH, "k", &order()).await;

    let answered = async {
        loop {
            let response = post(&patient, PATH, "k", &order()).await;
            if response.status() == 202 {
                break response;
            }
            assert_eq!(response.status(), 409);
        }
    };
    let response = tokio::time::timeout(Duration::from_secs(20), answered).await.unwrap();
    response.json::<Value>().await.unwrap();
    assert_eq!(patient.json(PATH).await["builds"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_idempotency_key_is_a_callers_own() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let (ann, bob, eve) = (
        client(&api, 1, "one", &[Scope::Admin]).await,
        client(&api, 2, "two", &[Scope::Admin]).await,
        client(&api, 3, "one", &[Scope::Admin]).await,
    );
    let ask = async |who: &Client<'_>| {
        let request = who.request(Method::POST, PATH).header("idempotency-key", "k").json(&order());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 202);
        response.headers()["location"].to_str().unwrap().to_owned()
    };
    let places = [ask(&ann).await, ask(&bob).await, ask(&eve).await, ask(&ann).await];
    assert_eq!(places[0], places[3]);
    assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), 3, "{places:?}");
}

#[tokio::test]
async fn who_is_refused_neither_leaves_nor_hears_anything_under_a_key() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let reader = client(&api, 1, "one", &[Scope::BuildsRead]).await;
    let ann = client(&api, 2, "one", &[Scope::Admin]).await;
    let ask = |request: RequestBuilder| request.header("idempotency-key", "k").json(&order()).send();
    assert_eq!(ask(ann.request(Method::POST, PATH)).await.unwrap().status(), 202);
    problem(ask(api.request(Method::POST, PATH)).await.unwrap(), 401, "key_missing").await;
    problem(ask(reader.request(Method::POST, PATH)).await.unwrap(), 403, "scope_missing").await;
    let revoked = KeyChange { at: api.app.clock.now(), by: "cli:ann".into() };
    let gone = key(&api, 3, "one", &[Scope::Admin], |key| key.revoked = Some(revoked)).await;
    let request = api.request(Method::POST, PATH).bearer_auth(gone.expose());
    problem(ask(request).await.unwrap(), 401, "key_revoked").await;
    assert_eq!(ann.json(PATH).await["builds"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_build_that_is_there_already_counts_once_towards_what_a_key_may_have_open() {
    let mut settings = ApiSettings::default();
    settings.idempotency.lease = Duration::ZERO;
    let api = Api::behind_keys(settings).await;
    let one = KeyLimits { open_builds: NonZeroU32::new(1), ..KeyLimits::default() };
    let text = key(&api, 1, "one", &[Scope::Admin], |key| key.limits = one).await;
    let ann = Client { api: &api, key: text.expose().to_owned(), id: KeyId::new(Ulid(1)) };
    let ask = |key: &'static str| {
        ann.request(Method::POST, PATH).header("idempotency-key", key).json(&order()).send()
    };

    // Given a submission whose process died before it could keep the answer
    api.idempotency.deaf.store(true, Ordering::SeqCst);
    let first = ask("k").await.unwrap();
    assert_eq!(first.status(), 202);
    api.idempotency.deaf.store(false, Ordering::SeqCst);

    // When it comes again, then it is the build that is there; another is one too many
    let again = ask("k").await.unwrap();
    assert_eq!(again.status(), 202);
    assert_eq!(again.headers()["location"], first.headers()["location"]);
    problem(ask("other").await.unwrap(), 429, "quota_exceeded").await;
}
