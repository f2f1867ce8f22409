//! Web pages, whose requests a browser sends to any address it can reach.

use crate::support::{Api, problem};
use buildwright_api::{ApiSettings, Origin, OriginSettings};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use std::sync::Arc;

const OURS: &str = "https://app.example";

async fn with(origins: OriginSettings) -> Api {
    Api::with(ApiSettings { origins: Arc::new(origins), ..ApiSettings::default() }).await
}

async fn allowing_ours() -> Api {
    with(OriginSettings { cors_origins: vec![OURS.parse().unwrap()], ..OriginSettings::default() }).await
}

fn submit(api: &Api) -> RequestBuilder {
    api.request(Method::POST, "/v1/builds").json(&json!({"prompt": "p"}))
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_here_is_not_answered() {
    let api = Api::start().await;
    for host in
        ["evil.example", "evil.example:8420", "localhost.evil.example", "10.0.0.1", "[::2]:80", "127.0.0.1.x"]
    {
        for method in [Method::GET, Method::POST] {
            let request = api.request(method, "/v1/builds").header("host", host);
            problem(request.send().await.unwrap(), 421, "host_not_allowed").await;
        }
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "127.9.9.9:8420", "[::1]", "[::1]:8420"] {
        let response = api.request(Method::GET, "/v1/builds").header("host", host).send().await.unwrap();
        assert_eq!(response.status(), 200, "{host}");
    }
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn a_name_that_was_set_is_answered() {
    let hosts = vec!["builds.example".to_owned()];
    let api = with(OriginSettings { allowed_hosts: hosts, ..OriginSettings::default() }).await;
    for (host, status) in
        [("builds.example", 200), ("Builds.Example:80", 200), ("localhost", 200), ("x.example", 421)]
    {
        let response = api.request(Method::GET, "/v1/builds").header("host", host).send().await.unwrap();
        assert_eq!(response.status(), status, "{host}");
    }
}

#[tokio::test]
async fn a_foreign_page_changes_nothing_and_opens_no_socket() {
    let api = Api::start().await;
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        problem(submit(&api).header("origin", origin).send().await.unwrap(), 403, "origin_not_allowed").await;
        let socket = api
            .request(Method::GET, "/v1/events")
            .header("origin", origin)
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        problem(socket.send().await.unwrap(), 403, "origin_not_allowed").await;
    }
    assert_eq!(api.stored_events(), 0);

    let own = api.base.clone();
    assert_eq!(
        submit(&api).header("origin", own).send().await.unwrap().status(),
        202,
        "a page of the server itself"
    );
    assert_eq!(submit(&api).send().await.unwrap().status(), 202, "no page at all");
    let read =
        api.request(Method::GET, "/v1/builds").header("origin", "https://evil.example").send().await.unwrap();
    assert!(
        !read.headers().contains_key("access-control-allow-origin"),
        "the browser keeps it from the page"
    );
}

#[tokio::test]
async fn a_page_that_is_allowed_may_change_and_read() {
    let api = allowing_ours().await;
    let preflight = api
        .request(Method::OPTIONS, "/v1/builds")
        .header("origin", OURS)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "idempotency-key, content-type");
    let preflight = preflight.send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], OURS);
    assert!(preflight.headers()["access-control-allow-methods"].to_str().unwrap().contains("POST"));
    let accepted = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(
        ["idempotency-key", "content-type", "if-match", "authorization"]
            .iter()
            .all(|name| accepted.contains(name))
    );

    let response = submit(&api).header("origin", OURS).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["access-control-allow-origin"], OURS);
    let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(
        ["etag", "location", "link", "ratelimit", "retry-after"].iter().all(|name| exposed.contains(name))
    );
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert!(vary.iter().any(|value| *value == "origin"), "{vary:?}");

    let refused = api.request(Method::GET, "/v1/nothing").header("origin", OURS).send().await.unwrap();
    assert_eq!(refused.headers()["access-control-allow-origin"], OURS, "errors can be read too");
    let other = submit(&api).header("origin", "https://app.example.evil").send().await.unwrap();
    assert_eq!(other.status(), 403);
}

#[tokio::test]
async fn every_page_is_allowed_only_where_that_was_said() {
    let api = with(OriginSettings { cors_origins: vec![Origin::Any], ..OriginSettings::default() }).await;
    let response = submit(&api).header("origin", "https://any.example").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "https://any.example");
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    for text in ["https://app.example", "http://localhost:3000", "*"] {
        assert!(text.parse::<Origin>().is_ok(), "{text}");
    }
    for text in
        ["", "app.example", "https://app.example/", "https://app.example/x", "https://u@app.example", "a b"]
    {
        assert!(text.parse::<Origin>().is_err(), "{text}");
    }
}
