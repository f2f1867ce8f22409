//! Entity tags: what is known need not be sent again, and what is outdated is not changed.

use crate::support::{Api, problem};
use reqwest::{Method, Response};
use serde_json::{Value, json};

async fn known(api: &Api, path: &str, tag: &str) -> Response {
    api.request(Method::GET, path).header("if-none-match", tag).send().await.unwrap()
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let api = Api::start().await;
    let id = api.submit_chain(2).await;
    api.complete(id, 2).await;
    let task = id.task(plan::TaskNumber(0));
    for path in [
        "/v1/builds".to_owned(),
        format!("/v1/builds/{id}"),
        format!("/v1/builds/{id}/plan"),
        format!("/v1/builds/{id}/tasks"),
        format!("/v1/builds/{id}/files"),
        format!("/v1/builds/{id}/diff"),
        format!("/v1/builds/{id}/archive.tar.gz"),
        format!("/v1/builds/{id}/events"),
        format!("/v1/tasks/{task}"),
        format!("/v1/tasks/{task}/output"),
        "/v1/events".to_owned(),
        "/v1/executors".to_owned(),
        "/openapi.json".to_owned(),
    ] {
        let tag = api.get(&path).await.headers()["etag"].to_str().unwrap().to_owned();
        for given in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
            let response = known(&api, &path, &given).await;
            assert_eq!(
                (response.status().as_u16(), &response.headers()["etag"]),
                (304, &tag.parse().unwrap()),
                "{path}"
            );
            assert!(response.bytes().await.unwrap().is_empty(), "{path}");
        }
        assert_eq!(known(&api, &path, "\"other\"").await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_list_that_changed_has_another_tag() {
    let api = Api::start().await;
    let tag = api.get("/v1/builds").await.headers()["etag"].to_str().unwrap().to_owned();
    api.submit_chain(1).await;
    assert_eq!(known(&api, "/v1/builds", &tag).await.status(), 200);
}

#[tokio::test]
async fn a_build_is_cancelled_only_at_the_version_that_was_meant() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let path = format!("/v1/builds/{id}");
    let outdated = api.get(&path).await.headers()["etag"].to_str().unwrap().to_owned();
    api.start_work(id, domain::build::Work::Task(plan::TaskNumber(0))).await;
    let events = api.stored_events();
    let cancel = async |tag: &str| {
        let request = api.request(Method::POST, &format!("{path}/cancel")).header("if-match", tag);
        request.json(&json!({})).send().await.unwrap()
    };

    for tag in [&outdated, "\"x\"", "W/\"5\"", ""] {
        problem(cancel(tag).await, 412, "version_outdated").await;
    }
    assert_eq!(api.stored_events(), events);

    let current = api.get(&path).await.headers()["etag"].to_str().unwrap().to_owned();
    let weak = format!("W/{current}");
    problem(cancel(&weak).await, 412, "version_outdated").await;
    let response = cancel(&format!("{outdated}, {current}")).await;
    assert_eq!(response.status(), 202);
    assert_eq!(response.json::<Value>().await.unwrap()["status"], "cancelled");
    assert_eq!(cancel("*").await.status(), 202);
}

#[tokio::test]
async fn pages_of_events_name_the_next_and_the_first() {
    let api = Api::start().await;
    api.submit_chain(3).await;
    let mut path = "/v1/events?limit=2".to_owned();
    let mut seen = 0;
    loop {
        let response = api.get(&path).await;
        assert_eq!(response.headers()["vary"], "accept");
        let link = response.headers()["link"].to_str().unwrap().to_owned();
        assert!(link.ends_with("</v1/events?limit=2>; rel=\"first\""), "{link}");
        seen += response.json::<Value>().await.unwrap()["events"].as_array().unwrap().len() as u64;
        let Some((next, _)) = link.split_once(">; rel=\"next\"") else { break };
        path = next.trim_start_matches('<').to_owned();
    }
    assert_eq!(seen, api.stored_events());
}
