//! Webhooks, from the API to a receiver and back: delivered, killed in between, given up, asked for again.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use buildwright_blackbox::{Hands, Launch, Plan, Server, Task, bash, say};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const LIMIT: Duration = Duration::from_secs(60);

/// Answers every message with a status, and keeps what came.
#[derive(Clone)]
struct Receiver {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    messages: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            status: Arc::new(status.into()),
            messages: Arc::default(),
        };
        let receiver = this.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let receiver = receiver.clone();
                tokio::spawn(async move { receiver.serve(socket).await });
            }
        });
        this
    }

    async fn serve(&self, mut socket: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let whole = loop {
                if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
                    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    let length: usize = length.map_or(0, |text| text.parse().unwrap());
                    if bytes.len() >= end + 4 + length {
                        break end + 4..end + 4 + length;
                    }
                }
                if !matches!(socket.read_buf(&mut bytes).await, Ok(1..)) {
                    return;
                }
            };
            self.messages.lock().unwrap().push(serde_json::from_slice(&bytes[whole.clone()]).unwrap());
            bytes.drain(..whole.end);
            let answer =
                format!("HTTP/1.1 {} X\r\ncontent-length: 2\r\n\r\nok", self.status.load(Ordering::Relaxed));
            if socket.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The ids of what came, of one type or of all.
    fn ids(&self) -> BTreeSet<String> {
        let messages = self.messages.lock().unwrap();
        messages.iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect()
    }
}

async fn start() -> Server {
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        settings.path(),
        "[webhooks]\nallowed_networks = [\"127.0.0.0/8\"]\n[deliveries]\nwait_seconds = [0, 1]\njitter_percent = 0\nkeep_one_off_seconds = 0\nprune_seconds = 1\n",
    )
    .unwrap();
    let (_, path) = settings.keep().unwrap();
    Server::start(Launch::with(Hands::Scripted).env("BUILDWRIGHT_CONFIG", path.to_str().unwrap())).await
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < LIMIT, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn order() -> Value {
    let tasks = (0..8)
        .map(|n| Task::agent(&format!("t{n}"), &[bash(&format!("echo {n} > {n}.txt")), say("Done.", 50)]));
    json!({ "prompt": "p", "plan": Plan::of(tasks).json() })
}

async fn endpoint(server: &Server, receiver: &Receiver) -> String {
    let order = json!({ "url": receiver.url(), "order": "per_build" });
    server.post("/v1/webhook-endpoints", &order).await.ok()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_hears_of_every_event_of_a_build_though_the_server_dies_on_the_way() {
    let mut server = start().await;
    let receiver = Receiver::start(200).await;
    let id = endpoint(&server, &receiver).await;
    let ping = server.post(&format!("/v1/webhook-endpoints/{id}/ping"), &json!({})).await.ok();
    assert_eq!((&ping["delivered"], &ping["attempt"]["status"]), (&json!(true), &json!(200)));
    let build = server.submit(&order()).await;
    until("something has come", async || receiver.ids().len() > 3).await;
    server.kill9().await;
    server.restart().await;
    build.completed(&server, LIMIT).await;
    let events = server.get(&format!("/v1/builds/{}/events?limit=1000", build.id)).await.ok();
    let all: BTreeSet<String> =
        events["events"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect();
    until("all have come", async || receiver.ids().is_superset(&all)).await;
    // In order, whatever came twice.
    let mut newest = 0;
    for message in receiver.messages.lock().unwrap().iter().filter(|message| message["type"] != "ping") {
        let sequence = message["sequence"].as_u64().unwrap();
        assert!(sequence <= newest + 20, "{message}");
        newest = newest.max(sequence);
    }
    until("all are kept as delivered", async || {
        let list = format!("/v1/webhook-endpoints/{id}/deliveries?status=delivered&limit=200");
        server.get(&list).await.ok()["deliveries"].as_array().unwrap().len() >= all.len()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_listed_with_its_attempts_and_comes_when_it_is_asked_for() {
    let server = start().await;
    let receiver = Receiver::start(500).await;
    let id = endpoint(&server, &receiver).await;
    let build = server
        .submit(&json!({ "prompt": "p", "plan": Plan::of([Task::agent("t", &[say("Done.", 50)])]).json() }))
        .await;
    build.ended(&server, LIMIT).await;
    let dead = format!("/v1/webhook-endpoints/{id}/deliveries?status=dead&limit=200");
    let mut letters = Vec::new();
    until("two are dead", async || {
        letters = server.get(&dead).await.ok()["deliveries"].as_array().unwrap().clone();
        letters.len() >= 2
    })
    .await;
    let one = letters[0]["id"].as_str().unwrap();
    let detail = server.get(&format!("/v1/deliveries/{one}")).await.ok();
    assert_eq!(detail["attemptLog"].as_array().unwrap().len(), 2, "{detail}");
    assert_eq!((&detail["lastStatus"], &detail["lastError"]), (&json!(500), &json!("status")));
    assert_eq!(detail["attemptLog"][0]["responseBody"], "ok");
    receiver.status.store(200, Ordering::Relaxed);
    let asked = server.post(&format!("/v1/deliveries/{one}/redeliver"), &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    let status = async |id: &str| server.get(&format!("/v1/deliveries/{id}")).await.ok()["status"].clone();
    until("it is delivered", async || status(one).await == "delivered").await;
    let since = format!("/v1/webhook-endpoints/{id}/redeliver?since=2020-01-01T00:00:00Z");
    assert_eq!(server.post(&since, &json!({})).await.status, 202);
    until("none is dead", async || server.get(&dead).await.ok()["deliveries"].as_array().unwrap().is_empty())
        .await;
    for path in ["/v1/deliveries/dlv_00000000000000000000000000_1", "/v1/deliveries/nothing"] {
        assert_eq!(server.get(path).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_a_build_brought_hears_all_of_it_and_is_gone_then() {
    let server = start().await;
    let receiver = Receiver::start(200).await;
    let plan = Plan::of([Task::agent("t", &[say("Done.", 50)])]).json();
    let order = json!({ "prompt": "p", "plan": plan, "webhook": { "url": receiver.url() } });
    let submitted = server.post("/v1/builds", &order).await.ok();
    let (build, endpoint) = (&submitted["id"], &submitted["webhook"]["endpointId"]);
    let path = format!("/v1/webhook-endpoints/{}", endpoint.as_str().unwrap());
    until("the endpoint is gone", async || server.get(&path).await.status == 404).await;
    let events = format!("/v1/builds/{}/events?limit=1000", build.as_str().unwrap());
    let events = server.get(&events).await.ok();
    let all: BTreeSet<String> =
        events["events"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect();
    let last = events["events"].as_array().unwrap().last().unwrap();
    assert!(["build_completed", "build_failed"].contains(&last["type"].as_str().unwrap()), "{last}");
    assert_eq!(receiver.ids(), all);
}
