//! What holds for every request.

use crate::support::{Api, problem};
use axum::body::Body;
use buildwright_api::ApiSettings;
use reqwest::Method;
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tower::ServiceExt as _;

#[tokio::test]
async fn what_is_not_there_is_a_problem_document_too() {
    let api = Api::start().await;
    problem(api.get("/v1/nothing").await, 404, "not_found").await;
    problem(api.get("/").await, 404, "not_found").await;
    problem(api.get("/docs/no-such-file.js").await, 404, "not_found").await;

    let response = api.request(Method::DELETE, "/v1/builds").send().await.unwrap();
    let mut allowed: Vec<&str> = response.headers()["allow"].to_str().unwrap().split(", ").collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "OPTIONS", "POST"]);
    problem(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let response = api.request(Method::HEAD, &format!("/v1/builds/{id}")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("etag"));
    assert!(response.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let api = Api::start().await;
    let with_id =
        |id: &'static str| api.request(Method::GET, "/v1/nothing").header("x-request-id", id).send();

    assert_eq!(with_id("order-7").await.unwrap().headers()["x-request-id"], "order-7");
    assert_ne!(with_id("a b\"c").await.unwrap().headers()["x-request-id"], "a b\"c");
    let long = "x".repeat(129).leak();
    assert_ne!(with_id(long).await.unwrap().headers()["x-request-id"], &*long);
    let made = api.get("/healthz").await.headers()["x-request-id"].clone();
    assert_ne!(made, api.get("/healthz").await.headers()["x-request-id"]);
}

#[tokio::test]
async fn json_is_compressed_for_those_who_ask() {
    let api = Api::start().await;
    let request = api.request(Method::GET, "/openapi.json").header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn a_defect_is_a_problem_document_without_its_cause() {
    let api = Api::start().await;
    let ids: Arc<dyn ports::Ids> = Arc::new(Defective);
    let router = buildwright_api::router(buildwright_api::App::new(buildwright_api::AppParts {
        ids,
        ..buildwright_api::AppParts::clone(&api.app)
    }));
    let request = http::Request::post("/v1/builds").header("content-type", "application/json");
    let request = request.body(Body::from(r#"{"prompt":"x"}"#)).unwrap();

    let response = router.oneshot(request).await.unwrap();

    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers().contains_key("x-request-id"));
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains("urn:buildwright:problem:internal") && !body.contains("secret"), "{body}");
}

struct Defective;

impl ports::Ids for Defective {
    fn build(&self) -> domain::BuildId {
        panic!("a secret detail");
    }

    fn endpoint(&self) -> domain::EndpointId {
        panic!("a secret detail");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let api = Api::start().await;
    api.json("/v1/builds").await;
    api.models.held.send_replace(true);
    api.submit_chain(1).await;
    let settings = ApiSettings {
        max_wait: Duration::ZERO,
        body_timeout: Duration::ZERO,
        answer_timeout: Duration::from_millis(20),
        ..ApiSettings::default()
    };
    let router = buildwright_api::router(buildwright_api::App::new(buildwright_api::AppParts {
        settings: Arc::new(settings),
        ..buildwright_api::AppParts::clone(&api.app)
    }));

    let response =
        router.oneshot(http::Request::get("/v1/builds").body(Body::empty()).unwrap()).await.unwrap();

    assert_eq!(response.status(), 503);
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("urn:buildwright:problem:timed_out"));
}

#[tokio::test]
async fn the_process_tells_whether_it_is_alive_and_ready() {
    let api = Api::with(ApiSettings { max_projection_lag: 2, ..ApiSettings::default() }).await;
    assert_eq!(api.json("/healthz").await, json!({"status": "ok"}));
    assert_eq!(api.json("/readyz").await, json!({"status": "ready", "head": 0, "projected": 0}));

    api.models.held.send_replace(true);
    api.submit_chain(1).await;
    let response = api.get("/readyz").await;
    assert!(response.headers().contains_key("retry-after"));
    problem(response, 503, "list_behind").await;
    api.models.held.send_replace(false);
    api.json("/v1/builds").await;
    assert_eq!(api.json("/readyz").await["projected"], 3);

    api.store.down.store(true, Ordering::SeqCst);
    problem(api.get("/readyz").await, 503, "unavailable").await;
    assert_eq!(api.json("/healthz").await, json!({"status": "ok"}), "alive all the same");
}
