//! What Prometheus reads.

use crate::support::{Api, problem};
use reqwest::Method;
use serde_json::json;
use std::sync::atomic::Ordering;

async fn figures(api: &Api) -> String {
    let response = api.get("/metrics").await;
    assert_eq!(response.status(), 200);
    let media_type = response.headers()["content-type"].to_str().unwrap();
    assert!(media_type.starts_with("application/openmetrics-text;"), "{media_type}");
    response.text().await.unwrap()
}

fn total(text: &str, route: &str, method: &str, status: &str) -> Option<u64> {
    let labels = format!(r#"{{route="{route}",method="{method}",status="{status}"}} "#);
    let series = format!("buildwright_http_requests_total{labels}");
    Some(text.lines().find_map(|line| line.strip_prefix(&series))?.parse().unwrap())
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_path() {
    let api = Api::start().await;
    let ids = [api.submit_chain(1).await, api.submit_chain(1).await];
    for id in ids {
        api.json(&format!("/v1/builds/{id}")).await;
    }
    problem(api.get("/v1/builds/x").await, 404, "build_unknown").await;
    problem(api.get("/made/up").await, 404, "not_found").await;
    problem(api.get("/made/up/too").await, 404, "not_found").await;
    problem(api.request(Method::DELETE, "/v1/builds").send().await.unwrap(), 405, "method_not_allowed").await;
    api.store.down.store(true, Ordering::SeqCst);
    problem(api.post("/v1/builds", &json!({"prompt": "x"})).await, 503, "unavailable").await;

    let text = figures(&api).await;

    assert_eq!(total(&text, "/v1/builds", "POST", "2xx"), Some(2));
    assert_eq!(total(&text, "/v1/builds", "POST", "5xx"), Some(1));
    assert_eq!(total(&text, "/v1/builds", "DELETE", "4xx"), Some(1));
    assert_eq!(total(&text, "/v1/builds/{id}", "GET", "2xx"), Some(2));
    assert_eq!(total(&text, "/v1/builds/{id}", "GET", "4xx"), Some(1));
    assert_eq!(total(&text, "(none)", "GET", "4xx"), Some(2), "{text}");
    assert!(!text.contains("made") && !text.contains(&ids[0].to_string()), "{text}");
    let durations =
        r#"buildwright_http_request_duration_seconds_count{route="/v1/builds/{id}",method="GET"} 3"#;
    assert!(text.contains(durations), "{text}");
}

#[tokio::test]
async fn it_shows_how_far_the_lists_are_behind() {
    let api = Api::start().await;
    api.json("/v1/builds").await;
    api.models.held.send_replace(true);
    api.submit_chain(1).await;

    let text = figures(&api).await;

    for line in [
        "buildwright_events_head 3.0",
        "buildwright_events_projected 0.0",
        "buildwright_projection_lag 3.0",
        r#"buildwright_build_info{version="0.0.0",role="api"} 1.0"#,
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn figures_are_told_while_the_store_is_away() {
    let api = Api::start().await;
    api.store.down.store(true, Ordering::SeqCst);
    assert!(figures(&api).await.contains("buildwright_events_head 0.0"));
}
