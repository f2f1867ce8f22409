//! Following by WebSocket, and what ends a stream of either kind from outside.

use crate::support::{Api, Socket, Sse, SseEvent, key, problem};
use buildwright_api::{ApiSettings, Bounds, KeySettings, StreamSettings};
use domain::build::Work;
use names::{KeyId, Scope};
use plan::TaskNumber;
use ports::{ApiKeys as _, KeyChange, KeyLimits};
use reqwest::Method;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use ulid::Ulid;

/// So soon that a test need not wait, and no sooner than a busy machine can bear.
const SOON: Duration = Duration::from_millis(100);

fn positions(events: &[SseEvent]) -> Vec<u64> {
    events.iter().filter_map(|event| event.id).collect()
}

fn with_streams(streams: StreamSettings) -> ApiSettings {
    let keys = KeySettings { trusted: SOON, ..KeySettings::default() };
    ApiSettings { streams, keys, ..ApiSettings::default() }
}

#[tokio::test]
async fn a_socket_tells_what_server_sent_events_tell_and_closes_after_the_end() {
    // Given a build that is over, its log and its output
    let api = Api::start().await;
    let id = api.submit_chain(2).await;
    let work = Work::Task(TaskNumber(0));
    api.write_output(id, work, "a line\nof \"two\"").await;
    api.complete(id, 2).await;

    for (path, reason) in [
        (format!("/v1/builds/{id}/events"), "ended"),
        (format!("/v1/builds/{id}/events?after=4"), "ended"),
        ("/v1/events?follow=false".to_owned(), "head"),
        (format!("/v1/tasks/{}/output", id.task(TaskNumber(0))), "ended"),
        (format!("/v1/builds/{id}/plan/output"), "ended"),
    ] {
        // When it is followed either way
        let mut socket = Socket::open(&api, &path).await;
        let told = socket.rest().await;

        // Then both tell the same, the end included
        let events = Sse::open(api.request(Method::GET, &path)).await.rest().await;
        assert_eq!(told, events, "{path}");
        assert_eq!(told.last().unwrap().data, json!({ "reason": reason }));
        assert_eq!(socket.closed_with(), Some((1000, reason)), "{path}");
    }
}

#[tokio::test]
async fn a_socket_that_breaks_anywhere_goes_on_at_another_process_without_gap_or_repeat() {
    let api = Api::among_several(ApiSettings::default()).await;
    let other = api.replica().await;
    let (id, beside) = (api.submit_chain(3).await, api.submit_chain(3).await);
    let path = format!("/v1/builds/{id}/events");
    let mut seen = Socket::open(&api, &path).await.take(3).await;
    for number in 0..3 {
        api.complete_task(id, number).await;
        api.complete_task(beside, number).await;
        let after = positions(&seen).pop().unwrap();
        let mut socket = Socket::open(&other, &format!("{path}?after={after}")).await;
        seen.extend(socket.take(3).await);
    }
    api.merge(id).await;
    let after = positions(&seen).pop().unwrap();
    seen.extend(Socket::open(&other, &format!("{path}?after={after}")).await.rest().await);

    let whole = Sse::open(api.request(Method::GET, &path)).await.rest().await;
    assert_eq!(seen, whole);
}

#[tokio::test]
async fn who_may_not_follow_hears_so_before_there_is_a_socket() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let own = api.key(1, "a", &[Scope::Admin], KeyLimits::default()).await;
    let others = api.key(2, "b", &[Scope::BuildsRead], KeyLimits::default()).await;
    let useless = api.key(3, "a", &[Scope::WebhooksManage], KeyLimits::default()).await;
    let bearer = |key: &str| format!("Bearer {key}");
    let order = api.request(Method::POST, "/v1/builds").bearer_auth(&own);
    let plan = json!({ "tasks": [{ "id": "t0", "type": "agent", "prompt": "work" }] });
    let order = order.json(&json!({ "prompt": "p", "plan": plan })).send().await.unwrap();
    let id = order.json::<serde_json::Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/builds/{id}/events");

    let mut socket = Socket::open_with(&api, &path, &[("authorization", &bearer(&own))]).await.unwrap();
    assert_eq!(socket.next().await.unwrap().event, "build_submitted");
    for (path, key, status, code) in [
        (&path, None, 401, "key_missing"),
        (&path, Some(&useless), 403, "scope_missing"),
        (&path, Some(&others), 404, "build_unknown"),
        (&path.replace("events", "plan/output"), Some(&others), 404, "build_unknown"),
        (
            &format!("{}_0/output", path.replace("builds/bld", "tasks/tsk").replace("/events", "")),
            Some(&others),
            404,
            "task_unknown",
        ),
        (&format!("{path}?after=x"), Some(&own), 400, "invalid_parameters"),
        (&format!("{path}?key={own}"), None, 401, "key_in_query"),
    ] {
        let authorization = key.map(|key| bearer(key)).unwrap_or_default();
        let headers = [("authorization", authorization.as_str())];
        let headers = if key.is_some() { &headers[..] } else { &[] };
        let refused = Socket::open_with(&api, path, headers).await.err().unwrap();
        assert_eq!(refused.status, status, "{path} {refused:?}");
        assert_eq!(refused.problem["type"], format!("urn:buildwright:problem:{code}"), "{path}");
    }
}

#[tokio::test]
async fn a_page_gives_its_key_as_a_protocol_which_no_answer_repeats() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let key = api.key(1, "a", &[Scope::Admin], KeyLimits::default()).await;
    let protocol = "sec-websocket-protocol";

    let offered = format!("buildwright.v1, bearer.{key}");
    let socket = Socket::open_with(&api, "/v1/events", &[(protocol, &offered)]).await.unwrap();
    assert_eq!(socket.headers[protocol], "buildwright.v1");
    assert!(socket.headers.values().all(|value| !value.to_str().unwrap().contains(&key)));

    let wrong = format!("buildwright.v1, bearer.{}", key.replace("bw_", "wb_"));
    let refused = Socket::open_with(&api, "/v1/events", &[(protocol, &wrong)]).await.err().unwrap();
    assert_eq!(
        (refused.status, &refused.problem["type"]),
        (401, &json!("urn:buildwright:problem:key_invalid"))
    );
    // Where there is no socket, a protocol means nothing.
    let request = api.request(Method::GET, "/v1/events").header(protocol, &offered);
    problem(request.send().await.unwrap(), 401, "key_missing").await;
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_opens_no_socket() {
    let mut settings = ApiSettings::default();
    Arc::make_mut(&mut settings.origins).cors_origins = vec!["https://ours.example".parse().unwrap()];
    let api = Api::with(settings).await;
    let open = async |origin: &str| Socket::open_with(&api, "/v1/events", &[("origin", origin)]).await;

    for foreign in ["https://evil.example", "null", "http://ours.example"] {
        let refused = open(foreign).await.err().expect(foreign);
        assert_eq!(refused.status, 403);
        assert_eq!(refused.problem["type"], "urn:buildwright:problem:origin_not_allowed");
    }
    assert!(open("https://ours.example").await.is_ok());
    assert!(open(&api.base).await.is_ok(), "a page of this very server");
    let host = Socket::open_with(&api, "/v1/events", &[("host", "evil.example")]).await.err().unwrap();
    assert_eq!(host.status, 421, "a foreign name that leads here");
}

#[tokio::test]
async fn what_only_looks_like_a_request_for_a_socket_is_refused_in_our_words() {
    let api = Api::start().await;
    for headers in [
        vec![("upgrade", "websocket")],
        vec![("upgrade", "websocket"), ("connection", "upgrade")],
        vec![
            ("upgrade", "websocket"),
            ("connection", "upgrade"),
            ("sec-websocket-key", "x"),
            ("sec-websocket-version", "7"),
        ],
    ] {
        let mut request = api.request(Method::GET, "/v1/events");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        problem(request.send().await.unwrap(), 400, "upgrade_invalid").await;
    }
}

#[tokio::test]
async fn pings_keep_a_socket_open_and_who_does_not_answer_them_is_cut_off() {
    let pong_timeout = Duration::from_secs(3);
    let streams = StreamSettings { pong_timeout, close_timeout: SOON, ..StreamSettings::default() };
    let settings = ApiSettings { heartbeat: Duration::from_millis(20), ..with_streams(streams) };
    let api = Api::with(settings).await;
    let mut lively = Socket::open(&api, "/v1/events").await;
    let lively = tokio::spawn(async move {
        let told = lively.take(3).await;
        (told, lively.pings)
    });
    let mut deaf = raw_socket(&api, "/v1/events").await;

    // Whoever does not answer hears why it is over,
    let mut heard = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), deaf.read_to_end(&mut heard)).await.unwrap().unwrap();
    let close = [&[0x88, 9, 0x03, 0xF0], b"no pong".as_slice()].concat();
    assert!(heard.ends_with(&close), "1008, no pong: {heard:?}");

    // and whoever does goes on.
    let id = api.submit_chain(1).await;
    let (told, pings) = lively.await.unwrap();
    assert_eq!(told[0].data["buildId"], id.to_string());
    assert!(pings > 0);
}

/// A client that opens a socket and knows nothing of frames.
async fn raw_socket(api: &Api, path: &str) -> tokio::net::TcpStream {
    let address = api.base.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

#[tokio::test]
async fn who_talks_into_a_stream_is_told_that_nobody_listens() {
    let api = Api::start().await;
    let mut talking = Socket::open(&api, "/v1/events").await;
    talking.say(Message::text("hello")).await;
    assert_eq!(talking.next().await, None);
    assert_eq!(talking.closed_with(), Some((1003, "a stream takes no messages")));

    let mut shouting = Socket::open(&api, "/v1/events").await;
    shouting.say(Message::text("x".repeat(5_000))).await;
    assert_eq!(shouting.next().await, None);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_and_others_are_not_held_up() {
    // Given clients of both kinds that ask for the log and never read it
    let connections = Bounds { stall_timeout: SOON, ..ApiSettings::default().connections };
    let api = Api::with(ApiSettings { connections, ..ApiSettings::default() }).await;
    let address = api.base.strip_prefix("http://").unwrap();
    let _socket = raw_socket(&api, "/v1/events").await;
    let mut sse = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /v1/events HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n");
    sse.write_all(request.as_bytes()).await.unwrap();
    followers(&api, 2).await;

    // When more happens than sockets hold, while somebody else follows it
    let mut lively = Socket::open(&api, "/v1/events").await;
    let prompt = "x".repeat(90_000);
    let mut told = 0;
    let gone = async { followers(&api, 1).await };
    let busy = async {
        loop {
            api.submit(&json!({ "prompt": prompt })).await;
            lively.take(2).await;
            told += 2;
        }
    };
    tokio::select! {
        () = gone => {}
        () = busy => {}
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("they are still there"),
    }

    // Then they are gone, and the other one has all of it
    assert!(told > 0);
}

/// Waits until so many follow.
async fn followers(api: &Api, count: usize) {
    loop {
        let figures = api.get("/metrics").await.text().await.unwrap();
        let open = figures.lines().filter_map(|line| line.strip_prefix("buildwright_followers{"));
        let open: f64 = open.filter_map(|line| line.split(' ').next_back()?.parse::<f64>().ok()).sum();
        if (open - count as f64).abs() < 0.5 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_stream_ends_soon_after_its_key_was_revoked_or_has_expired() {
    let streams = StreamSettings { check_keys_every: SOON, ..StreamSettings::default() };
    let api = Api::behind_keys(with_streams(streams)).await;
    let revoked = api.key(1, "a", &[Scope::BuildsRead], KeyLimits::default()).await;
    let lasting = api.key(2, "a", &[Scope::Admin], KeyLimits::default()).await;
    // The clock moves on when somebody looks at it.
    let soon = api.app.clock.now() + chrono::Duration::milliseconds(200);
    let expiring = key(&api, 3, "a", &[Scope::BuildsRead], |key| key.expires_at = Some(soon)).await;
    let follow = async |key: &str| {
        let request = api.request(Method::GET, "/v1/events").bearer_auth(key);
        let bearer = format!("Bearer {key}");
        let socket = Socket::open_with(&api, "/v1/events", &[("authorization", &bearer)]).await.unwrap();
        (Sse::open(request).await, socket)
    };
    let (mut sse, mut socket) = follow(&revoked).await;
    let (mut short_sse, mut short_socket) = follow(expiring.expose()).await;
    let (mut other, _) = follow(&lasting).await;

    let change = KeyChange { at: api.app.clock.now(), by: "cli:ann".into() };
    api.keys.revoke_key(KeyId::new(Ulid(1)), &change).await.unwrap();
    while api.app.clock.now() < soon {}

    for (sse, socket, reason) in
        [(&mut sse, &mut socket, "key_revoked"), (&mut short_sse, &mut short_socket, "key_expired")]
    {
        for told in [sse.rest().await, socket.rest().await] {
            let [end] = &told[..] else { panic!("{told:?}") };
            assert_eq!((end.event.as_str(), &end.data), ("end", &json!({ "reason": reason })));
        }
        assert_eq!(socket.closed_with(), Some((1008, reason)));
    }
    // Whoever has another key goes on.
    let plan = json!({ "tasks": [{ "id": "t0", "type": "agent", "prompt": "work" }] });
    let order = api.request(Method::POST, "/v1/builds").bearer_auth(&lasting);
    order.json(&json!({ "prompt": "p", "plan": plan })).send().await.unwrap();
    assert_eq!(other.next().await.unwrap().event, "build_submitted");
}

#[tokio::test]
async fn sockets_are_closed_in_order_when_the_process_stops_or_its_store_fails() {
    let api = Api::start().await;
    let mut socket = Socket::open(&api, "/v1/events").await;
    api.submit_chain(1).await;
    socket.take(3).await;
    api.store.down.store(true, std::sync::atomic::Ordering::SeqCst);
    api.store.wake();
    assert_eq!(socket.next().await, None);
    assert_eq!(socket.closed_with().map(|(code, _)| code), Some(1013));
    let refused = Socket::open_with(&api, "/v1/events", &[]).await.err().unwrap();
    assert_eq!((refused.status, refused.headers.contains_key("retry-after")), (503, true));

    api.store.down.store(false, std::sync::atomic::Ordering::SeqCst);
    let mut socket = Socket::open(&api, "/v1/events?after=3").await;
    api.stop.cancel();
    assert_eq!(socket.next().await, None);
    assert_eq!(socket.closed_with().map(|(code, _)| code), Some(1001));
}

#[tokio::test]
async fn only_so_many_may_follow_and_a_place_that_is_left_is_free() {
    let streams =
        StreamSettings { max_followers: 3, max_followers_per_tenant: 2, ..StreamSettings::default() };
    let api = Api::behind_keys(ApiSettings { streams, ..ApiSettings::default() }).await;
    let one = format!("Bearer {}", api.key(1, "a", &[Scope::Admin], KeyLimits::default()).await);
    let other = format!("Bearer {}", api.key(2, "b", &[Scope::Admin], KeyLimits::default()).await);
    let open = async |key: &str| Socket::open_with(&api, "/v1/events", &[("authorization", key)]).await;
    let sse = api.request(Method::GET, "/v1/events").header("authorization", &one);
    let first = Sse::open(sse.try_clone().unwrap()).await;
    let _second = open(&one).await.unwrap();

    let refused = open(&one).await.err().unwrap();
    assert_eq!(
        (refused.status, &refused.problem["type"]),
        (429, &json!("urn:buildwright:problem:too_many_followers"))
    );
    assert!(refused.headers.contains_key("retry-after"));
    let page = sse.try_clone().unwrap().send().await.unwrap();
    assert_eq!(page.status(), 200, "pages are no streams");
    let third = open(&other).await.unwrap();
    let refused = open(&other).await.err().unwrap();
    assert_eq!(
        (refused.status, &refused.problem["type"]),
        (503, &json!("urn:buildwright:problem:followers_exhausted"))
    );
    assert!(refused.headers.contains_key("retry-after"));

    let figures = api.request(Method::GET, "/metrics").header("authorization", &one).send().await.unwrap();
    let figures = figures.text().await.unwrap();
    for line in [
        "buildwright_followers{transport=\"sse\"} 1.0",
        "buildwright_followers{transport=\"websocket\"} 2.0",
        "buildwright_followers_refused_total 2.0",
    ] {
        assert!(figures.contains(line), "{line}\n{figures}");
    }
    drop((first, third));
    let _again = loop {
        if let Ok(again) = open(&one).await {
            break again;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
}

#[tokio::test]
async fn a_socket_counts_as_a_connection_for_as_long_as_it_is_open() {
    let connections = Bounds { connections: 1, ..ApiSettings::default().connections };
    let api = Api::with(ApiSettings { connections, ..ApiSettings::default() }).await;
    let socket = Socket::open(&api, "/v1/events").await;
    let healthy = api.get("/healthz");
    tokio::pin!(healthy);
    assert!(tokio::time::timeout(SOON, &mut healthy).await.is_err(), "there is no place for another");
    drop(socket);
    assert_eq!(healthy.await.status(), 200);
}
