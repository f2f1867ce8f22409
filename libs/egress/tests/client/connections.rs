//! What becomes of connections.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use buildwright_egress::{Client, FailureClass, Request, Settings};
use http::{HeaderMap, Method};
use tokio::io::AsyncWriteExt;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::server::{Server, nobody, request};
use super::{PLENTY, answer, client, fails_as, settings, target, until};

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Server::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let client = client();
    for _ in 0..50 {
        assert_eq!(answer(&client, &server.url("/")).await.status, 204);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn of_many_connections_to_a_host_few_are_kept() {
    // All requests of a round are under way at once: it answers when all have come.
    let (all, closed) = (Arc::new(Barrier::new(8)), Arc::new(AtomicUsize::new(0)));
    let counted = closed.clone();
    let server = Server::start(move |mut stream| {
        let (all, closed) = (all.clone(), counted.clone());
        async move {
            while request(&mut stream).await.is_some() {
                all.wait().await;
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
            }
            closed.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let settings = Settings { idle_per_host: 2, idle_timeout: PLENTY, ..settings() };
    let client = Client::new(settings).expect("a client");
    for opened in [8, 8 + 6] {
        let url = server.url("/");
        let requests = (0..8).map(|_| (client.clone(), url.clone()));
        let mut round: JoinSet<_> =
            requests.map(|(client, url)| async move { answer(&client, &url).await.status }).collect();
        while let Some(status) = round.join_next().await {
            assert_eq!(status.expect("an answer"), 204);
        }
        assert_eq!(server.connections(), opened);
        until("all but two are closed", || closed.load(Ordering::SeqCst) == opened - 2).await;
    }
}

#[tokio::test]
async fn what_is_sent_is_the_callers_and_nothing_is_added_but_the_name_of_the_client() {
    let seen = Arc::new(Mutex::new(String::new()));
    let noted = seen.clone();
    let server = Server::start(move |mut stream| {
        let noted = noted.clone();
        async move {
            *noted.lock().expect("nobody panicked") = request(&mut stream).await.expect("a request");
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "evt_1".parse().expect("a value"));
    let target = target(&server.url("/a?b=c"));
    let (method, body) = (Method::POST, r#"{"a":1}"#.into());
    client().send(Request { target: &target, method, headers, body, deadline: PLENTY }).await;

    let seen = seen.lock().expect("nobody panicked").clone();
    let (head, body) = seen.split_once("\r\n\r\n").expect("a request");
    let mut lines: Vec<&str> = head.lines().collect();
    let host = format!("host: {}", server.address);
    let mut expected = vec![
        "POST /a?b=c HTTP/1.1",
        "webhook-id: evt_1",
        "user-agent: buildwright",
        "accept: */*",
        &host,
        "content-length: 7",
    ];
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!((lines, body), (expected, r#"{"a":1}"#));
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_one_that_never_was() {
    let failure = fails_as(FailureClass::Connect, &client(), &nobody("/")).await;
    assert!(failure.message.starts_with("Connection refused"), "{failure:?}");

    let hangs_up = Server::start(|mut stream| async move {
        request(&mut stream).await;
    })
    .await;
    fails_as(FailureClass::Reset, &client(), &hangs_up.url("/")).await;

    // Closing while something is unread makes the operating system send a reset.
    let resets = Server::start(|stream| async move {
        let _ = stream.readable().await;
        drop(stream);
    })
    .await;
    fails_as(FailureClass::Reset, &client(), &resets.url("/")).await;

    let breaks_off = Server::start(|mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    })
    .await;
    let failure = fails_as(FailureClass::Reset, &client(), &breaks_off.url("/")).await;
    assert_eq!(failure.status.map(|status| status.as_u16()), Some(200));
}

#[tokio::test]
async fn what_is_no_http_is_no_answer() {
    for nonsense in ["SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n"]
    {
        let server = Server::answering(nonsense).await;
        fails_as(FailureClass::Protocol, &client(), &server.url("/")).await;
    }
}

#[tokio::test]
async fn a_message_does_not_repeat_the_url_which_may_hold_a_token() {
    let failure = fails_as(FailureClass::Connect, &client(), &nobody("/hook?token=s3cret")).await;
    assert!(!failure.message.contains("s3cret"), "{failure:?}");
}
