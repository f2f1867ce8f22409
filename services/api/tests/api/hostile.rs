//! Clients that mean no good, over bare sockets.

use crate::support::{Api, problem};
use buildwright_api::{ApiSettings, Bounds};
use reqwest::Method;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What takes bodies.
const PATHS: [&str; 2] = ["/v1/builds", "/v1/webhook-endpoints"];
const SOON: Duration = Duration::from_secs(30);

async fn connect(api: &Api) -> TcpStream {
    TcpStream::connect(api.base.trim_start_matches("http://")).await.unwrap()
}

async fn bounded(connections: usize, head_timeout: Duration) -> Api {
    let connections = Bounds { connections, head_timeout, ..ApiSettings::default().connections };
    Api::with(ApiSettings { connections, ..ApiSettings::default() }).await
}

/// What comes until the connection ends. A reset is an end too.
async fn rest(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(SOON, socket.read_to_end(&mut bytes)).await.expect("the connection ends");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn json_of_ten_thousand_levels_is_refused() {
    let api = Api::start().await;
    for (path, (open, close)) in
        PATHS.into_iter().flat_map(|path| [(path, ("[", "]")), (path, ("{\"a\":", "}"))])
    {
        let deep = format!("{{\"prompt\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
        for key in [None, Some("k")] {
            let mut request = api.request(Method::POST, path).header("content-type", "application/json");
            if let Some(key) = key {
                request = request.header("idempotency-key", format!("{key}{}", open.len()));
            }
            problem(request.body(deep.clone()).send().await.unwrap(), 400, "malformed_body").await;
        }
    }
}

#[tokio::test]
async fn a_body_of_five_megabytes_is_too_large_with_and_without_a_key() {
    let api = Api::start().await;
    for (path, key) in PATHS.into_iter().flat_map(|path| [(path, ""), (path, "k")]) {
        let mut request = api.request(Method::POST, path).header("content-type", "application/json");
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        problem(request.body(vec![b' '; 5 << 20]).send().await.unwrap(), 413, "body_too_large").await;
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_bound() {
    let api = Api::start().await;
    for key in ["", "idempotency-key: k\r\n"] {
        let (mut reading, mut writing) = connect(&api).await.into_split();
        let head = format!(
            "POST /v1/builds HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{key}\
             transfer-encoding: chunked\r\n\r\n"
        );
        writing.write_all(head.as_bytes()).await.unwrap();
        let sender = tokio::spawn(async move {
            let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
            let mut sent = 0usize;
            // As long as anybody takes it.
            while writing.write_all(&chunk).await.is_ok() {
                sent += 0x10000;
                assert!(sent < 64 << 20, "somebody takes it all");
            }
            sent
        });
        let mut answer = vec![0; 12];
        tokio::time::timeout(SOON, reading.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
        drop(reading);
        let sent = tokio::time::timeout(SOON, sender).await.unwrap().unwrap();
        assert!(sent >= 4 << 20, "{sent}");
    }
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_not_waited_for() {
    let api = bounded(100, Duration::from_millis(200)).await;
    for begun in ["", "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: "] {
        let mut socket = connect(&api).await;
        socket.write_all(begun.as_bytes()).await.unwrap();
        assert!(!rest(&mut socket).await.contains(" 200 "));
    }
    let mut kept = connect(&api).await;
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answered = rest(&mut kept).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_place() {
    let api = bounded(1, SOON).await;
    let mut first = connect(&api).await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    let mut second = connect(&api).await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let waiting = tokio::time::timeout(Duration::from_millis(300), second.read(&mut byte)).await;
    assert!(waiting.is_err(), "it is not answered");

    drop(first);

    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_at_rest_does_not_hold_up_the_end() {
    let api = Api::start().await;
    let mut idle = connect(&api).await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    idle.read_exact(&mut [0; 12]).await.unwrap();

    api.stop.cancel();

    rest(&mut idle).await;
}
