//! The listener of a role that has no API.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use buildwright_vitals::{Metrics, ReadyChecks, serve_health};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

struct Role {
    base: String,
    client: reqwest::Client,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

impl Role {
    async fn start(ready: ReadyChecks) -> Self {
        // A second test of the process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let metrics = Arc::new(Metrics::new("executor", "1.2.3"));
        metrics.watch_slots_used(|| 2);
        let served = tokio::spawn(serve_health(listener, ready, metrics, stop.clone()));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { base, client, stop, served }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    async fn not_ready(&self) -> Value {
        let response = self.get("/readyz").await;
        assert_eq!(response.headers()["retry-after"], "2");
        problem(response, 503).await
    }
}

async fn problem(response: Response, status: u16) -> Value {
    assert_eq!(response.status(), status, "{}", response.url());
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    response.json().await.unwrap()
}

#[tokio::test]
async fn a_role_that_needs_nothing_is_alive_and_ready() {
    let role = Role::start(ReadyChecks::default()).await;
    assert_eq!(role.json("/healthz").await, json!({"status": "ok"}));
    assert_eq!(role.json("/readyz").await, json!({"status": "ready"}));
}

#[tokio::test]
async fn a_part_that_is_away_is_named_without_its_reason_until_it_is_back() {
    let away = Arc::new(AtomicBool::new(true));
    let bus = {
        let away = Arc::clone(&away);
        move || {
            let away = away.load(Ordering::SeqCst);
            async move { if away { Err("no route to secret.example".into()) } else { Ok(()) } }
        }
    };
    let role = Role::start(ReadyChecks::default().with("store", || async { Ok(()) }).with("bus", bus)).await;

    let problem = role.not_ready().await;
    assert_eq!(problem["type"], "urn:buildwright:problem:not_ready");
    assert_eq!(problem["detail"], "not ready: bus");
    assert!(!problem.to_string().contains("secret.example"), "{problem}");
    assert_eq!(role.json("/healthz").await, json!({"status": "ok"}), "nobody is to kill it for that");

    away.store(false, Ordering::SeqCst);
    assert_eq!(role.json("/readyz").await, json!({"status": "ready"}));
}

#[tokio::test]
async fn a_part_that_says_nothing_is_not_ready() {
    let checks = ReadyChecks::default()
        .with_patience(Duration::from_millis(10))
        .with("store", std::future::pending)
        .with("bus", std::future::pending);
    let role = Role::start(checks).await;
    assert_eq!(role.not_ready().await["detail"], "not ready: store, bus");
}

#[tokio::test]
async fn while_it_ends_what_it_is_at_a_process_lives_and_is_not_ready() {
    let stopping = CancellationToken::new();
    let mut role = Role::start(ReadyChecks::default().until(stopping.clone())).await;
    assert_eq!(role.json("/readyz").await, json!({"status": "ready"}));

    stopping.cancel();
    assert_eq!(role.not_ready().await["type"], "urn:buildwright:problem:stopping");
    assert_eq!(role.json("/healthz").await, json!({"status": "ok"}));

    role.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(20), &mut role.served).await;
    ended.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn figures_are_served_in_the_format_that_prometheus_reads() {
    let role = Role::start(ReadyChecks::default()).await;
    let response = role.get("/metrics").await;
    assert_eq!(
        response.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = response.text().await.unwrap();
    assert!(text.contains("\nbuildwright_executor_slots_used 2.0\n"), "{text}");
}

#[tokio::test]
async fn there_is_nothing_else_and_nothing_to_write() {
    let role = Role::start(ReadyChecks::default()).await;
    problem(role.get("/v1/builds").await, 404).await;
    let post = role.client.request(Method::POST, format!("{}/healthz", role.base)).send().await.unwrap();
    assert_eq!(post.headers()["allow"], "GET,HEAD");
    problem(post, 405).await;
}
