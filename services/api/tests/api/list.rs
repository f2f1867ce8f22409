//! The list of builds.

use crate::support::{Api, pointers, problem};
use buildwright_api::ApiSettings;
use serde_json::{Value, json};
use std::time::Duration;

fn ids(list: &Value) -> Vec<&str> {
    list["builds"].as_array().unwrap().iter().map(|build| build["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_from_new_to_old_without_gap_or_repeat() {
    let api = Api::start().await;
    let mut submitted = Vec::new();
    for n in 0..7 {
        submitted.push(
            api.submit(&json!({"prompt": format!("build {n}"), "labels": {"n": "x y"}})).await.to_string(),
        );
    }
    submitted.reverse();

    let mut seen: Vec<String> = Vec::new();
    let mut path = "/v1/builds?limit=3&label=n%3Ax%20y".to_owned();
    let mut pages = 0;
    loop {
        let response = api.get(&path).await;
        let link = response.headers()["link"].to_str().unwrap().to_owned();
        let list: Value = response.json().await.unwrap();
        seen.extend(ids(&list).into_iter().map(str::to_owned));
        pages += 1;
        assert!(link.contains("</v1/builds?limit=3&label=n%3Ax%20y>; rel=\"first\""), "{link}");
        assert_eq!(link.contains("rel=\"next\""), list["nextCursor"].is_string());
        let Some((next, _)) = link.split_once(">; rel=\"next\"") else { break };
        path = next.strip_prefix('<').unwrap().to_owned();
        assert!(path.contains(list["nextCursor"].as_str().unwrap()));
    }
    assert_eq!(seen, submitted);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_list_is_narrowed_by_status_project_and_labels() {
    let api = Api::start().await;
    let blue =
        api.submit(&json!({"prompt": "p", "project": "one", "labels": {"team": "blue", "a/b": "c:d"}})).await;
    let red = api.submit(&json!({"prompt": "p", "project": "two", "labels": {"team": "red"}})).await;
    let done = api.submit_chain(1).await;
    api.complete(done, 1).await;

    for (query, wanted) in [
        ("project=one", vec![blue]),
        ("label=team:red", vec![red]),
        ("label=team:blue&label=a/b:c:d", vec![blue]),
        ("label=team:blue&label=team2:red", vec![]),
        ("status=completed", vec![done]),
        ("status=queued", vec![red, blue]),
        ("status=queued,completed", vec![done, red, blue]),
        ("status=queued&status=completed", vec![done, red, blue]),
        ("status=failed", vec![]),
    ] {
        let list = api.json(&format!("/v1/builds?{query}")).await;
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        assert_eq!(ids(&list), wanted, "{query}");
    }
    let list = api.json("/v1/builds?status=completed").await;
    assert_eq!(list["builds"][0]["tasks"], json!({"total": 1, "completed": 1}));
    assert_eq!(list["builds"][0]["costUsd"], 0.0015);
    assert_eq!(list["builds"][0]["title"], "a chain");
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let api = Api::start().await;
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=201", "/limit"),
        ("limit=1e9", "/limit"),
        ("cursor=garbage", "/cursor"),
        ("cursor=", "/cursor"),
        ("status=done", "/status"),
        ("status=", "/status"),
        ("project=../x", "/project"),
        ("label=team", "/label"),
        ("label=a%20b:c", "/label"),
        ("page=2", "/page"),
        ("limit=1&limit=2", "/limit"),
        ("label=a:b&label=a:c", "/label"),
    ] {
        let problem = problem(api.get(&format!("/v1/builds?{query}")).await, 400, "invalid_parameters").await;
        assert_eq!(pointers(&problem), [pointer], "{query}");
    }
}

#[tokio::test]
async fn a_list_waits_for_what_was_answered_before() {
    let api = Api::start().await;
    api.models.held.send_replace(true);
    let id = api.submit(&json!({"prompt": "p"})).await;

    let listing = tokio::spawn(api.request(reqwest::Method::GET, "/v1/builds").send());
    api.models.awaited().await;
    api.models.held.send_replace(false);

    let list: Value = listing.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(ids(&list), [id.to_string()]);
}

#[tokio::test]
async fn a_list_that_stays_behind_is_an_error_and_not_a_wrong_answer() {
    let settings = ApiSettings { read_your_writes: Duration::from_millis(20), ..ApiSettings::default() };
    let api = Api::with(settings).await;
    api.json("/v1/builds").await;
    api.models.held.send_replace(true);
    api.submit(&json!({"prompt": "p"})).await;

    let response = api.get("/v1/builds").await;

    assert!(response.headers().contains_key("retry-after"));
    problem(response, 503, "list_behind").await;
}
