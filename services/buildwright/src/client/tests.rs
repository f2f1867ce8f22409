//! The client against a small server that says what it is told to.

use super::*;
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::net::TcpListener;

async fn serve(router: Router) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Client::new(&format!("http://{address}/")).unwrap()
}

/// What the stream was asked to go on from, one entry a connection.
type Asked = Arc<Mutex<Vec<Option<String>>>>;

fn stream(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], text).into_response()
}

/// Every connection breaks off somewhere else; once in between the server is busy.
async fn broken_stream(State(asked): State<Asked>, headers: HeaderMap) -> Response {
    let mut asked = asked.lock().unwrap();
    asked.push(headers.get("last-event-id").map(|id| id.to_str().unwrap().to_owned()));
    match asked.len() {
        1 => stream("id: 5\nevent: a\ndata: one\n\nid: 7\nevent: b\ndata: two\n\nid: 9\nevent: c\ndata: ha"),
        2 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        3 => stream("id: 9\nevent: c\ndata: three\n\n: heartbeat\n\n"),
        _ => stream("event: end\ndata: {\"reason\":\"ended\"}\n\n"),
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_gone_on_with_where_it_stood() {
    let asked = Asked::default();
    let client = serve(Router::new().route("/s", get(broken_stream)).with_state(asked.clone())).await;
    let mut follow = client.follow("/s".to_owned(), None);
    let mut seen = Vec::new();
    while let Some(event) = follow.next().await.unwrap() {
        seen.push((event.event, event.data));
    }
    let expected = [("a", "one"), ("b", "two"), ("c", "three")];
    assert_eq!(seen, expected.map(|(event, data)| (event.to_owned(), data.to_owned())));
    let expected = [None, Some("7"), Some("7"), Some("9")];
    assert_eq!(*asked.lock().unwrap(), expected.map(|id| id.map(str::to_owned)));
    assert_eq!(follow.next().await.unwrap(), None, "over is over");
}

/// Goes on where the client says it stands, however often it connects, and breaks off after every event.
async fn resumable_stream(headers: HeaderMap) -> Response {
    match headers.get("last-event-id").map(|id| id.to_str().unwrap()) {
        None => stream("id: 5\nevent: a\ndata: one\n\nid: 7\nevent: b\ndata: ha"),
        Some("5") => stream("id: 7\nevent: b\ndata: two\n\n"),
        Some("7") => stream("id: 9\nevent: c\ndata: three\n\n: heartbeat\n\n"),
        Some(_) => stream("event: end\ndata: {\"reason\":\"ended\"}\n\n"),
    }
}

#[tokio::test]
async fn waiting_can_be_interrupted_without_losing_events() {
    let client = serve(Router::new().route("/s", get(resumable_stream))).await;
    let mut follow = client.follow("/s".to_owned(), None);
    let mut seen = Vec::new();
    loop {
        let event = tokio::select! {
            biased;
            () = tokio::time::sleep(Duration::from_millis(3)) => continue,
            event = follow.next() => event.unwrap(),
        };
        match event {
            Some(event) => seen.push(event.data),
            None => break,
        }
    }
    assert_eq!(seen, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_stream_that_is_refused_is_not_asked_for_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let refuse = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { (StatusCode::NOT_FOUND, Json(json!({ "title": "there is no such build" }))) }
    };
    let client = serve(Router::new().route("/s", get(refuse))).await;
    let error = client.follow("/s".to_owned(), Some(3)).next().await.unwrap_err();
    assert_eq!(error.to_string(), "there is no such build");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stream_that_ends_because_of_the_key_is_not_over_but_refused() {
    let count = Arc::new(AtomicUsize::new(0));
    let answer = move || {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let refused = || (StatusCode::UNAUTHORIZED, Json(json!({ "title": "the API key was revoked" })));
        let end = "event: end\ndata: {\"reason\":\"key_revoked\"}\n\n";
        async move { if first { stream(end) } else { refused().into_response() } }
    };
    let client = serve(Router::new().route("/s", get(answer))).await;
    let error = client.follow("/s".to_owned(), None).next().await.unwrap_err();
    assert_eq!(error.to_string(), "the API key was revoked");
}

#[tokio::test]
async fn a_problem_names_every_field() {
    let problem = json!({
        "type": "urn:buildwright:problem:invalid_request", "title": "the request is not valid", "status": 422,
        "detail": "two things", "errors": [
            { "in": "body", "pointer": "/prompt", "message": "must not be empty" },
            { "in": "body", "pointer": "/plan/tasks/0/id", "message": "must \u{1b}[31mnot" },
        ],
    });
    let refuse = move || async move { (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)) };
    let client = serve(Router::new().route("/v1/builds", post(refuse))).await;
    let error = client.submit(&json!({})).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the request is not valid: two things\n  /prompt: must not be empty\n  /plan/tasks/0/id: must not"
    );
    let ClientError::Refused(problem) = error else { panic!() };
    assert!(problem.is("invalid_request") && problem.status == 422);
}

#[tokio::test]
async fn an_error_that_is_no_problem_document_still_says_something() {
    let client =
        serve(Router::new().route("/v1/builds/x", get(|| async { (StatusCode::BAD_GATEWAY, "<html>") })))
            .await;
    let error = client.build::<Value>("x").await.unwrap_err();
    assert_eq!(error.to_string(), "the server answered 502 Bad Gateway");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_apart_from_one_that_is_no_buildwright() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = Client::new(&format!("http://{address}")).unwrap();
    let error = nobody.answers(Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    let other = serve(Router::new().route("/healthz", get(|| async { "fine" }))).await;
    let error = other.answers(Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, ClientError::Answer { .. }), "{error}");
    for address in ["", "127.0.0.1:80", "ftp://a", "http://"] {
        assert!(matches!(Client::new(address), Err(ClientError::Address(_))), "{address}");
    }
}

#[tokio::test]
async fn what_is_written_as_an_id_stays_one() {
    let any = |uri: axum::http::Uri| async move { Json(json!({ "path": uri.to_string() })) };
    let client = serve(Router::new().fallback(any)).await;
    let answer: Value = client.build("../v1/events?x=1#y").await.unwrap();
    assert_eq!(answer["path"], "/v1/builds/..%2Fv1%2Fevents%3Fx%3D1%23y");
    let answer: Value = client.get("/v1/builds", &[("project", "a&b=c".to_owned())]).await.unwrap();
    assert_eq!(answer["path"], "/v1/builds?project=a%26b%3Dc");
}

#[tokio::test]
async fn a_download_that_breaks_off_is_an_error() {
    let half = || async {
        let pieces = futures::stream::iter([Ok("half"), Err(std::io::Error::other("gone"))]);
        Body::from_stream(pieces)
    };
    let client = serve(Router::new().route("/v1/builds/b/archive.tar.gz", get(half))).await;
    let error = client.archive("b").await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}
