//! The Messages API as any client sees it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use buildwright_scripted_model::{Handle, Script, ScriptedModel};
use futures::StreamExt;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::{
    sync::Once,
    time::{Duration, Instant},
};

struct World {
    model: Handle,
    http: Client,
}

impl World {
    async fn new(reply: Value) -> Self {
        let script = json!({"rules": [{"name": "all", "reply": reply}]}).to_string();
        let none = |_: &str| unreachable!("no files in these scripts");
        Self::of(ScriptedModel::new(Script::parse(&script, none).unwrap())).await
    }

    async fn of(model: ScriptedModel) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let model = model.listen("127.0.0.1:0").await.unwrap();
        Self { model, http: Client::builder().no_proxy().build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.model.base_url())
    }

    fn post(&self, body: &Value) -> RequestBuilder {
        self.http.post(self.url("/v1/messages?beta=true")).header("x-api-key", "any").json(body)
    }

    async fn whole(&self) -> (StatusCode, Value) {
        let answer = self.post(&asking(false)).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn events(&self) -> Vec<Value> {
        let answer = self.post(&asking(true)).send().await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        assert!(answer.headers().contains_key("request-id"));
        parse_events(&answer.text().await.unwrap())
    }
}

fn asking(stream: bool) -> Value {
    json!({
        "model": "claude-haiku", "max_tokens": 100, "stream": stream, "tools": [{"name": "Write"}],
        "messages": [{"role": "user", "content": "hello"}],
    })
}

/// Checks the form of server-sent events on the way: a name, and data of that name.
fn parse_events(text: &str) -> Vec<Value> {
    text.split_terminator("\n\n")
        .map(|event| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let data: Value = serde_json::from_str(data).unwrap();
            assert_eq!(data["type"], name);
            data
        })
        .collect()
}

/// What a client makes of a stream: the message as if it had not been streamed.
fn assembled(events: &[Value]) -> Value {
    let mut message = events[0]["message"].clone();
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs = String::new();
    for event in &events[1..] {
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => blocks.push(event["content_block"].clone()),
            "content_block_delta" => match event["delta"]["type"].as_str().unwrap() {
                "input_json_delta" => inputs += event["delta"]["partial_json"].as_str().unwrap(),
                "signature_delta" => blocks[index]["signature"] = event["delta"]["signature"].clone(),
                kind => {
                    let field = kind.strip_suffix("_delta").unwrap();
                    let sofar = blocks[index][field].as_str().unwrap().to_owned();
                    blocks[index][field] = (sofar + event["delta"][field].as_str().unwrap()).into();
                }
            },
            "content_block_stop" if !inputs.is_empty() => {
                blocks[index]["input"] = serde_json::from_str(&std::mem::take(&mut inputs)).unwrap();
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["usage"] = event["usage"].clone();
            }
            _ => {}
        }
    }
    message["content"] = blocks.into();
    message
}

#[tokio::test]
async fn a_stream_and_a_whole_answer_say_the_same() {
    let world = World::new(json!([{
        "thinking": "let me see", "text": "é€😀 ".repeat(2_000),
        "tool": {"name": "Write", "input": {"file_path": "/w/a", "content": "x\"\n".repeat(500)}},
        "usage": {"inputTokens": 11, "outputTokens": 7, "cacheReadInputTokens": 5, "cacheCreationInputTokens": 3},
    }]))
    .await;
    let (status, mut whole) = world.whole().await;
    let events = world.events().await;
    assert_eq!(status, 200);
    let names: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["message_start", "ping", "content_block_start"]);
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 11);
    let mut streamed = assembled(&events);
    assert_ne!(streamed["id"], whole["id"]);
    assert_ne!(streamed["content"][2]["id"], whole["content"][2]["id"]);
    for message in [&mut streamed, &mut whole] {
        message["id"] = Value::Null;
        message["content"][2]["id"] = Value::Null;
    }
    assert_eq!(streamed, whole);
    assert_eq!(whole["stop_reason"], "tool_use");
    assert_eq!(whole["usage"]["cache_creation_input_tokens"], 3);
    let usage: Value = world.http.get(world.url("/usage")).send().await.unwrap().json().await.unwrap();
    let expected = json!({"models": {"claude-haiku": {
        "inputTokens": 22, "outputTokens": 14, "cacheReadInputTokens": 10, "cacheCreationInputTokens": 6, "requests": 2,
    }}});
    assert_eq!(usage, expected);
}

#[tokio::test]
async fn requests_are_listed_newest_last() {
    let world = World::new(json!([{"text": "hi"}])).await;
    world.whole().await;
    world.events().await;
    let list = world.http.get(world.url("/requests?limit=1")).send().await.unwrap();
    let expected = json!([{"number": 2, "model": "claude-haiku", "stream": true, "prompt": "hello", "replies": 0,
        "tools": ["Write"], "rule": "all"}]);
    assert_eq!(list.json::<Value>().await.unwrap(), expected);
    assert_eq!(world.model.requests().len(), 2);
}

#[tokio::test]
async fn an_error_has_its_status_its_form_and_when_to_come_back() {
    let error = json!({"status": 429, "message": "slow down", "retryAfter": 3});
    let world = World::new(json!([{"error": error, "times": 1}, {"text": "fine"}])).await;
    let answer = world.post(&asking(true)).send().await.unwrap();
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "3");
    let expected = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    assert_eq!(answer.json::<Value>().await.unwrap(), expected);
    assert_eq!(world.whole().await.0, 200);
    assert_eq!(world.model.usage().models["claude-haiku"].requests, 1);
}

#[tokio::test]
async fn a_cut_answer_begins_breaks_off_and_counts_nothing() {
    let world = World::new(json!([{"cut": true, "text": "word ".repeat(100), "times": 2}])).await;
    for stream in [true, false] {
        let mut body = world.post(&asking(stream)).send().await.unwrap().bytes_stream();
        let mut seen = Vec::new();
        let ended = loop {
            match body.next().await {
                Some(Ok(piece)) => seen.extend(piece),
                other => break other,
            }
        };
        assert!(matches!(ended, Some(Err(_))), "the end looked like a proper end");
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.contains("word") && !seen.contains("message_stop"), "{seen}");
    }
    assert!(world.model.usage().models.is_empty());
}

#[tokio::test]
async fn a_hanging_answer_waits_for_the_client_or_the_shutdown() {
    let world = World::new(json!([{"hang": true, "times": 1}, {"hang": true, "text": "so far"}])).await;
    let impatient = world.post(&asking(true)).timeout(Duration::from_millis(200)).send().await;
    assert!(impatient.unwrap_err().is_timeout());
    let mut half = world.post(&asking(true)).send().await.unwrap().bytes_stream();
    let first = half.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: message_start"));
    let begun = Instant::now();
    let root = world.url("/");
    world.model.shutdown().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3));
    let rest = half.take_while(|piece| std::future::ready(piece.is_ok())).count();
    tokio::time::timeout(Duration::from_secs(3), rest).await.expect("the connection was left open");
    assert!(world.http.get(root).send().await.is_err());
}

#[tokio::test]
async fn pauses_of_the_script_are_kept() {
    let world = World::new(json!([{"text": "word ".repeat(32), "delayMs": 100, "chunkDelayMs": 50}])).await;
    let begun = Instant::now();
    assert_eq!(assembled(&world.events().await)["content"][0]["text"], "word ".repeat(32));
    assert!(begun.elapsed() >= Duration::from_millis(100 + 4 * 50), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_required_key_opens_everything_and_others_get_401() {
    let world = World::of(ScriptedModel::new(Script::default()).require_key("right".into())).await;
    let get = |path: &str| world.http.get(world.url(path));
    for path in ["/usage", "/requests", "/v1/models"] {
        let refused = get(path).header("x-api-key", "wrong").send().await.unwrap();
        assert_eq!(refused.status(), 401, "{path}");
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["error"]["type"], "authentication_error");
        let let_in = get(path).header("x-api-key", "right").send().await.unwrap();
        assert_eq!(let_in.status(), 200, "{path}");
    }
    assert_eq!(get("/v1/models").bearer_auth("right").send().await.unwrap().status(), 200);
    assert_eq!(get("/v1/models").send().await.unwrap().status(), 401);
    assert_eq!(world.whole().await.0, 401);
    assert_eq!(world.http.head(world.url("/")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_the_api_does_not_know_is_refused_in_its_own_form() {
    let world = World::new(json!([{"text": "hi"}])).await;
    let refused = [
        (world.http.get(world.url("/v1/nothing")), 404, "not_found_error"),
        (world.http.get(world.url("/v1/messages")), 405, "invalid_request_error"),
        (world.http.post(world.url("/v1/messages")).body("{"), 400, "invalid_request_error"),
        (world.post(&json!({"model": "m"})), 400, "invalid_request_error"),
        (
            world.http.post(world.url("/v1/messages")).body(vec![b' '; (64 << 20) + 1]),
            413,
            "request_too_large",
        ),
        (world.http.get(world.url("/requests?limit=many")), 400, "invalid_request_error"),
    ];
    for (request, status, kind) in refused {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!(kind)));
    }
}

#[tokio::test]
async fn the_small_endpoints_answer() {
    let world = World::new(json!([{"text": "hi"}])).await;
    assert_eq!(world.http.get(world.url("/")).send().await.unwrap().status(), 200);
    let models: Value = world.http.get(world.url("/v1/models")).send().await.unwrap().json().await.unwrap();
    assert!(models["data"].as_array().is_some_and(|models| !models.is_empty()));
    let count = world.http.post(world.url("/v1/messages/count_tokens")).json(&asking(false));
    let counted: Value = count.send().await.unwrap().json().await.unwrap();
    assert!(counted["input_tokens"].as_u64().is_some_and(|tokens| tokens > 10));
    assert!(world.model.usage().models.is_empty(), "counting tokens uses none");
    let mut probe = asking(false);
    probe["max_tokens"] = 1.into();
    let probed: Value = world.post(&probe).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&probed["stop_reason"], &probed["usage"]["output_tokens"]),
        (&json!("max_tokens"), &json!(1))
    );
    assert_eq!(world.model.usage().models["claude-haiku"].output_tokens, 1);
}
