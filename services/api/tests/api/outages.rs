//! What clients hear while something that we depend on is away.

use crate::support::{Api, problem};
use buildwright_api::{ApiSettings, App, AppParts};
use domain::BuildId;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::{sync::atomic::Ordering, time::Duration};
use tokio_util::sync::CancellationToken;
use vitals::ReadyChecks;

/// An API that keeps no build in memory: its processes share a store with others.
async fn fleet() -> Api {
    let settings = ApiSettings { retry_after: Duration::from_secs(7), ..ApiSettings::default() };
    Api::among_several(settings).await
}

/// A client is told to come again, and nothing of what is inside.
async fn is_told_to_come_again(response: Response) -> Value {
    let url = response.url().clone();
    assert_eq!(response.headers()["retry-after"], "7", "{url}");
    let problem = problem(response, 503, "unavailable").await;
    assert!(!problem.to_string().contains("secret.example"), "{url}: {problem}");
    problem
}

async fn follow(api: &Api, path: &str) -> Response {
    api.request(Method::GET, path).header("accept", "text/event-stream").send().await.unwrap()
}

fn of_build(id: BuildId, rest: &str) -> String {
    format!("/v1/builds/{id}{rest}")
}

fn task_of(id: BuildId) -> String {
    format!("/v1/tasks/{}", id.task(plan::TaskNumber(0)))
}

#[tokio::test]
async fn while_the_event_store_is_away_every_endpoint_over_it_says_so() {
    let api = fleet().await;
    let id = api.submit_chain(1).await;
    api.complete(id, 1).await;
    let stored = api.stored_events();
    api.store.down.store(true, Ordering::SeqCst);

    for rest in [
        "",
        "?wait=1s",
        "?asOf=1",
        "/plan",
        "/plan/output",
        "/tasks",
        "/files",
        "/diff",
        "/archive.tar.gz",
        "/events",
    ] {
        is_told_to_come_again(api.get(&of_build(id, rest)).await).await;
    }
    is_told_to_come_again(api.get(&task_of(id)).await).await;
    is_told_to_come_again(api.get(&format!("{}/output", task_of(id))).await).await;
    is_told_to_come_again(api.get("/v1/events").await).await;
    is_told_to_come_again(api.get("/readyz").await).await;
    is_told_to_come_again(api.post("/v1/builds", &json!({"prompt": "x"})).await).await;
    let cancel = api.request(Method::POST, &of_build(id, "/cancel")).send().await.unwrap();
    is_told_to_come_again(cancel).await;
    assert_eq!(api.get("/healthz").await.status(), 200, "the process itself is well");

    api.store.down.store(false, Ordering::SeqCst);
    assert_eq!(api.stored_events(), stored, "nothing was stored half");
    assert_eq!(api.json(&of_build(id, "")).await["status"], "completed");
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_refused_and_not_empty() {
    let api = fleet().await;
    let id = api.submit_chain(1).await;
    let (events, output) = (of_build(id, "/events"), format!("{}/output", task_of(id)));
    let plan_output = of_build(id, "/plan/output");

    api.output.down.store(true, Ordering::SeqCst);
    is_told_to_come_again(follow(&api, &output).await).await;
    is_told_to_come_again(follow(&api, &plan_output).await).await;
    api.output.down.store(false, Ordering::SeqCst);

    api.store.down.store(true, Ordering::SeqCst);
    for path in ["/v1/events", &events, &output, &plan_output] {
        is_told_to_come_again(follow(&api, path).await).await;
    }
    api.store.down.store(false, Ordering::SeqCst);
    for path in ["/v1/events", &events, &output, &plan_output] {
        assert_eq!(follow(&api, path).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn while_lists_output_or_results_are_away_only_they_are() {
    let api = fleet().await;
    let id = api.submit_chain(1).await;
    api.complete(id, 1).await;

    api.models.down.store(true, Ordering::SeqCst);
    is_told_to_come_again(api.get("/v1/builds").await).await;
    api.output.down.store(true, Ordering::SeqCst);
    is_told_to_come_again(api.get(&format!("{}/output", task_of(id))).await).await;
    is_told_to_come_again(api.get(&of_build(id, "/plan/output")).await).await;
    api.results.down.store(true, Ordering::SeqCst);
    for rest in ["/files", "/diff", "/archive.tar.gz"] {
        is_told_to_come_again(api.get(&of_build(id, rest)).await).await;
    }

    assert_eq!(api.json(&of_build(id, "")).await["status"], "completed");
}

#[tokio::test]
async fn a_build_that_others_keep_changing_is_worth_another_try() {
    let api = fleet().await;
    let id = api.submit_chain(1).await;
    api.store.contended.store(true, Ordering::SeqCst);

    let cancel = api.request(Method::POST, &of_build(id, "/cancel")).send().await.unwrap();
    assert_eq!(cancel.headers()["retry-after"], "7");
    problem(cancel, 503, "build_contended").await;
    let submit = api.post("/v1/builds", &json!({"prompt": "x"})).await;
    assert_eq!(submit.headers()["retry-after"], "7");
    problem(submit, 503, "build_contended").await;
}

#[tokio::test]
async fn a_store_that_never_answers_holds_nobody_for_ever() {
    let settings = ApiSettings {
        answer_timeout: Duration::from_millis(50),
        // Only those who wait, or send a body, get time for it.
        max_wait: Duration::from_hours(1),
        body_timeout: Duration::from_hours(1),
        ready_patience: Duration::from_millis(20),
        retry_after: Duration::from_secs(7),
        ..ApiSettings::default()
    };
    let api = Api::among_several(settings).await;
    let id = api.submit_chain(1).await;
    api.store.hangs.store(true, Ordering::SeqCst);

    for path in [of_build(id, ""), of_build(id, "/events"), "/v1/events".to_owned()] {
        let response = api.get(&path).await;
        assert_eq!(response.headers()["retry-after"], "7", "{path}");
        problem(response, 503, "timed_out").await;
        let stream = follow(&api, &path).await;
        problem(stream, 503, "timed_out").await;
    }
    problem(api.get("/readyz").await, 503, "store_slow").await;
}

#[tokio::test]
async fn the_process_is_not_ready_while_a_part_that_it_needs_is_not() {
    let api = Api::start().await;
    let stopping = CancellationToken::new();
    let fails = || async { Err("no answer from secret.example".into()) };
    let ready = ReadyChecks::default()
        .with("bus", fails)
        .with("clock", || async { Ok(()) })
        .with("artifacts", fails)
        .until(stopping.clone());
    let app = App::new(AppParts { ready, ..AppParts::clone(&api.app) });
    let api = api.serving(app).await;

    let not_ready = api.get("/readyz").await;
    assert_eq!(not_ready.headers()["retry-after"], "2");
    let not_ready = problem(not_ready, 503, "not_ready").await;
    assert_eq!(not_ready["detail"], "not ready: bus, artifacts");

    stopping.cancel();
    problem(api.get("/readyz").await, 503, "stopping").await;
}
