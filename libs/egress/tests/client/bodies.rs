//! Nothing takes longer, or more memory, than allowed.

use std::time::Duration;

use buildwright_egress::{BodyEnd, Client, Failure, FailureClass, Settings};

use super::server::{Server, Taken};
use super::{PLENTY, answer, client, fails_as, failure, settings, until};

const SHORT: Duration = Duration::from_millis(500);
/// Enough for something to come back on a busy machine.
const LONGER: Duration = Duration::from_secs(4);
const DRIP: Duration = Duration::from_millis(20);

fn was_cut(failure: &Failure, deadline: Duration) {
    assert_eq!(failure.class, FailureClass::Timeout, "{failure:?}");
    assert!(failure.latency >= deadline && failure.latency < deadline + PLENTY, "{failure:?}");
}

#[tokio::test]
async fn a_small_answer_is_kept_as_a_whole() {
    let server = Server::answering(
        "HTTP/1.1 500 Oh\r\nContent-Length: 5\r\nRetry-After: 7\r\nSet-Cookie: a=b\r\nX-A: \u{e4}\r\n\r\nhello",
    )
    .await;
    let answer = answer(&client(), &server.url("/")).await;
    assert_eq!(answer.status, 500);
    assert_eq!((&answer.body.bytes[..], answer.body.end), (&b"hello"[..], BodyEnd::Complete));
    assert_eq!(answer.retry_after.as_deref(), Some("7"));
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-length", "retry-after", "x-a"]);
}

#[tokio::test]
async fn a_body_of_ten_gigabytes_is_cut_after_what_is_kept() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000\r\n",
    ] {
        let (server, taken) = Server::endless(head, &[b'x'; 65_536], Duration::ZERO).await;
        let answer = answer(&client(), &server.url("/")).await;
        assert_eq!((answer.body.bytes.len(), answer.body.end), (20_000, BodyEnd::Cut), "{head:?}");
        little_was_taken(&taken).await;
    }
}

/// Nothing but what fits into buffers, and nothing any more.
async fn little_was_taken(taken: &Taken) {
    until("the client has hung up", || taken.hung_up()).await;
    assert!(taken.bytes() < 100_000_000, "{} bytes were taken", taken.bytes());
}

#[tokio::test]
async fn a_body_of_just_as_much_as_is_kept_is_complete() {
    for (length, end) in [(20_000, BodyEnd::Complete), (20_001, BodyEnd::Cut)] {
        let body = "x".repeat(length);
        let server =
            Server::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")).await;
        let answer = answer(&client(), &server.url("/")).await;
        assert_eq!((answer.body.bytes.len(), answer.body.end), (20_000, end));
    }
}

#[tokio::test]
async fn a_body_that_drips_is_cut_at_the_deadline_and_its_status_is_told() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    let (server, taken) = Server::endless(head, b"x", DRIP).await;
    let failure = failure(&client(), &server.url("/"), LONGER).await;
    was_cut(&failure, LONGER);
    assert_eq!(failure.status.map(|status| status.as_u16()), Some(200));
    little_was_taken(&taken).await;
}

#[tokio::test]
async fn headers_that_drip_are_cut_at_the_deadline() {
    let (server, taken) = Server::endless("HTTP/1.1 200 OK\r\nX-Slow: ", b"x", DRIP).await;
    let failure = failure(&client(), &server.url("/"), LONGER).await;
    was_cut(&failure, LONGER);
    assert_eq!(failure.status, None);
    little_was_taken(&taken).await;
}

#[tokio::test]
async fn who_only_says_to_go_on_is_given_up_at_the_deadline() {
    const GO_ON: &str = "HTTP/1.1 100 Continue\r\n\r\n";
    let (server, taken) = Server::endless(GO_ON, GO_ON.as_bytes(), DRIP).await;
    let failure = failure(&client(), &server.url("/"), LONGER).await;
    was_cut(&failure, LONGER);
    assert_eq!(failure.status, None);
    little_was_taken(&taken).await;
}

#[tokio::test]
async fn who_never_answers_is_given_up_at_the_deadline() {
    // The operating system accepts for it: the request is sent, and lies there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    was_cut(&failure(&client(), &url, SHORT).await, SHORT);
}

#[tokio::test]
async fn a_flood_of_headers_is_no_answer() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(101));
    let server = Server::answering(many).await;
    fails_as(FailureClass::Protocol, &client(), &server.url("/")).await;

    for chunk in [&[b'x'; 65_536][..], b"X-A: b\r\n"] {
        let (server, taken) = Server::endless("HTTP/1.1 200 OK\r\nX-Long: ", chunk, Duration::ZERO).await;
        fails_as(FailureClass::Protocol, &client(), &server.url("/")).await;
        little_was_taken(&taken).await;
    }
}

#[tokio::test]
async fn of_many_headers_the_first_are_kept_and_how_long_to_wait() {
    let many = format!("X-A: {}\r\n", "v".repeat(1_000)).repeat(20);
    let head = format!("HTTP/1.1 429 Slow\r\n{many}Retry-After: 60\r\nContent-Length: 0\r\n\r\n");
    let server = Server::answering(head).await;
    let client = Client::new(Settings { max_header_bytes: 5_000, ..settings() }).expect("a client");
    let answer = answer(&client, &server.url("/")).await;
    assert_eq!(answer.headers.len(), 4);
    assert_eq!(answer.retry_after.as_deref(), Some("60"));
}

#[tokio::test]
async fn what_is_packed_stays_packed() {
    let packed = b"\x1f\x8b\x08 whatever";
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\n".to_vec();
    bytes.extend_from_slice(packed);
    let server = Server::answering(bytes).await;
    let answer = answer(&client(), &server.url("/")).await;
    assert_eq!(&answer.body.bytes[..], packed);
}
