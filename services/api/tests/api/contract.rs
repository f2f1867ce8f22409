//! What trying the server against its description has found, and must not find again.

use crate::support::{Api, pointers, problem};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_whole_number_may_be_written_with_a_point() {
    let api = Api::start().await;
    let order = |limits| json!({ "prompt": "x", "limits": limits });
    let taken = api.post("/v1/builds", &order(json!({ "maxParallel": 2.0 }))).await;
    assert_eq!(taken.status(), 202);
    assert_eq!(taken.json::<serde_json::Value>().await.unwrap()["limits"]["maxParallel"], 2);
    let refused = api.post("/v1/builds", &order(json!({ "maxParallel": 2.5 }))).await;
    assert_eq!(pointers(&problem(refused, 422, "invalid_request").await), ["/limits/maxParallel"]);
}

#[tokio::test]
async fn a_cost_is_bounded_as_it_is_written_and_not_as_it_is_kept() {
    let api = Api::start().await;
    for (usd, status) in [(1e-9, 202), (6e-10, 422), (1e6, 202), (1_000_000.000_1, 422)] {
        let order = json!({ "prompt": "x", "limits": { "maxCostUsd": usd } });
        assert_eq!(api.post("/v1/builds", &order).await.status(), status, "{usd}");
    }
}

#[tokio::test]
async fn a_place_that_javascript_could_not_hold_is_none() {
    let api = Api::start().await;
    let most = 999_999_999_999_999u64;
    assert_eq!(api.get(&format!("/v1/events?after={most}")).await.status(), 200);
    let refused = api.get(&format!("/v1/events?after={}", most + 1)).await;
    assert_eq!(pointers(&problem(refused, 400, "invalid_parameters").await), ["/after"]);
    for place in ["1000000000000000", "+1", "0000000000000001"] {
        let request = api.request(Method::GET, "/v1/events").header("last-event-id", place);
        let refused = problem(request.send().await.unwrap(), 400, "invalid_parameters").await;
        assert_eq!(pointers(&refused), ["/last-event-id"], "{place}");
    }
}

#[tokio::test]
async fn an_endpoint_without_parameters_names_those_it_is_given() {
    let api = Api::start().await;
    let build = api.submit(&json!({ "prompt": "x" })).await;
    for part in ["tasks", "plan", "files", "diff", "archive.tar.gz"] {
        let refused = api.get(&format!("/v1/builds/{build}/{part}?limit=1")).await;
        assert_eq!(pointers(&problem(refused, 400, "invalid_parameters").await), ["/limit"], "{part}");
    }
}

#[tokio::test]
async fn entity_tags_without_number_are_not_looked_through() {
    let api = Api::start().await;
    let build = api.submit(&json!({ "prompt": "x" })).await;
    let cancel = format!("/v1/builds/{build}/cancel");
    for (method, path, header) in [
        (Method::GET, format!("/v1/builds/{build}"), "if-none-match"),
        (Method::GET, "/v1/events".to_owned(), "if-none-match"),
        (Method::POST, cancel, "if-match"),
    ] {
        let response = api.request(method, &path).header(header, "x".repeat(8_193)).send().await.unwrap();
        let problem = problem(response, 400, "invalid_parameters").await;
        assert_eq!(pointers(&problem), [format!("/{header}")], "{path}");
    }
}

#[tokio::test]
async fn null_is_as_good_as_no_reason_to_cancel() {
    let api = Api::start().await;
    let build = api.submit(&json!({ "prompt": "x" })).await;
    assert_eq!(api.post(&format!("/v1/builds/{build}/cancel"), &json!(null)).await.status(), 202);
}

#[tokio::test]
async fn a_list_is_narrowed_by_no_more_than_a_build_can_have() {
    let api = Api::start().await;
    let long = format!("/v1/builds?label=a:{}", "x".repeat(256));
    let many = format!("/v1/builds?{}", "status=queued&".repeat(7));
    for (path, pointer) in [(long, "/label"), (many, "/status")] {
        assert_eq!(pointers(&problem(api.get(&path).await, 400, "invalid_parameters").await), [pointer]);
    }
}
