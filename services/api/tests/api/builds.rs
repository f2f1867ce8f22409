//! Looking at builds and tasks, and stopping them.

use crate::support::{Api, COMMIT, pointers, problem};
use domain::{
    Failure, FailureClass,
    build::{Command, Success, Work},
};
use plan::{Bounds, Plan, PlanDraft, TaskDraft, TaskNumber};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_build_is_shown_from_its_submission_to_its_result() {
    let api = Api::start().await;
    let id = api.submit_chain(2).await;

    api.complete_task(id, 0).await;
    api.start_work(id, Work::Task(TaskNumber(1))).await;
    let build = api.json(&format!("/v1/builds/{id}")).await;
    assert_eq!(build["status"], "executing");
    assert_eq!(
        build["tasks"],
        json!({
            "total": 2, "completed": 1, "inProgress": 1, "failed": 0, "pending": 0, "skipped": 0, "cancelled": 0,
        })
    );
    assert!(build["startedAt"].is_string() && build["endedAt"].is_null());

    let work = Work::Task(TaskNumber(1));
    let result = json!({"task": {"commit": COMMIT, "filesChanged": 3, "summary": "all good"}});
    let result: Success = serde_json::from_value(result).unwrap();
    api.finish(id, work, Ok(result)).await;
    api.merge(id).await;
    let build = api.json(&format!("/v1/builds/{id}")).await;
    assert_eq!(build["status"], "completed");
    assert_eq!(
        build["result"],
        json!({
            "base": "b".repeat(40), "commit": COMMIT, "branch": "main", "filesChanged": 2,
        })
    );
    assert!(build["durationMs"].as_i64().unwrap() > 0);
    let tokens = json!({"inputTokens": 200, "outputTokens": 14, "cacheReadTokens": 0,
        "cacheCreationTokens": 0, "costUsd": 0.003});
    let mut usage = tokens.clone();
    usage["byModel"] = json!({"haiku": tokens});
    assert_eq!(build["usage"], usage);

    let task = api.json(&format!("/v1/tasks/{}", id.task(TaskNumber(1)))).await;
    assert_eq!(task["status"], "completed");
    assert_eq!(task["buildId"], id.to_string());
    assert_eq!(task["commit"], COMMIT);
    assert_eq!(task["filesChanged"], 3);
    assert_eq!(task["summary"], "all good");
    assert_eq!(task["sessionId"], "session-1");
    assert_eq!(task["attempt"], 1);
    assert_eq!(task["usage"]["inputTokens"], 100);
}

#[tokio::test]
async fn a_failed_build_names_why_and_which_task() {
    let api = Api::start().await;
    let id = api.submit_chain(2).await;
    let work = Work::Task(TaskNumber(0));
    api.start_work(id, work).await;
    api.finish(id, work, Err(Failure::new(FailureClass::Credential, "no key"))).await;

    let build = api.json(&format!("/v1/builds/{id}")).await;

    assert_eq!(build["status"], "failed");
    let task = id.task(TaskNumber(0)).to_string();
    assert_eq!(build["failure"], json!({"class": "credential", "message": "no key", "taskId": task}));
    assert_eq!(build["tasks"]["failed"], 1);
    assert_eq!(build["tasks"]["skipped"], 1);
    let task = api.json(&format!("/v1/tasks/{task}")).await;
    assert_eq!(task["failure"], json!({"class": "credential", "message": "no key"}));
}

#[tokio::test]
async fn what_the_client_has_already_is_not_sent_again() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let path = format!("/v1/builds/{id}");
    let etag = api.get(&path).await.headers()["etag"].to_str().unwrap().to_owned();
    let known = |tag: String| api.request(Method::GET, &path).header("if-none-match", tag).send();

    for tag in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let response = known(tag.clone()).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{tag}");
        assert_eq!(response.headers()["etag"], etag.as_str());
        assert!(response.bytes().await.unwrap().is_empty());
    }
    api.start_work(id, Work::Task(TaskNumber(0))).await;
    let response = known(etag.clone()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_ne!(response.headers()["etag"], etag.as_str());
}

#[tokio::test]
async fn a_long_poll_is_answered_when_the_build_ends() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let began = Instant::now();

    let path = format!("/v1/builds/{id}?wait=30s");
    let (answer, ()) = tokio::join!(api.json(&path), async {
        api.store.watched_by(1).await;
        api.complete_task(id, 0).await;
        api.merge(id).await;
    });

    assert_eq!(answer["status"], "completed");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_long_poll_is_answered_when_its_time_is_over() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let began = Instant::now();
    let build = api.json(&format!("/v1/builds/{id}?wait=100ms")).await;
    assert_eq!(build["status"], "queued");
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_long_poll_is_answered_when_the_process_stops() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let began = Instant::now();
    let path = format!("/v1/builds/{id}?wait=60");
    let request = tokio::spawn(api.request(Method::GET, &path).send());
    api.store.watched_by(1).await;
    api.stop.cancel();
    let build: Value = request.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(build["status"], "queued");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_build_is_shown_as_it_was() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let before = api.json(&format!("/v1/builds/{id}")).await;
    api.complete(id, 1).await;

    let version = before["version"].as_u64().unwrap();
    assert_eq!(api.json(&format!("/v1/builds/{id}?asOf={version}")).await, before);
    let unknown = api.get(&format!("/v1/builds/{id}?asOf=1000")).await;
    problem(unknown, 404, "version_unknown").await;
    let nobody = id.to_string().replace('0', "1");
    problem(api.get(&format!("/v1/builds/{nobody}?asOf=1")).await, 404, "build_unknown").await;
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    for (query, pointer) in [
        ("wait=soon", "/wait"),
        ("wait=61s", "/wait"),
        ("wait=1&wait=2", "/wait"),
        ("asOf=0", "/asOf"),
        ("asOf=-1", "/asOf"),
        ("wait=1s&asOf=1", "/asOf"),
        ("verbose=1", "/verbose"),
    ] {
        let response = api.get(&format!("/v1/builds/{id}?{query}")).await;
        let problem = problem(response, 400, "invalid_parameters").await;
        assert_eq!(pointers(&problem), [pointer], "{query}");
        assert_eq!(problem["errors"][0]["in"], "query");
    }
}

#[tokio::test]
async fn what_is_no_id_names_nothing() {
    let api = Api::start().await;
    let unknown = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for id in [unknown, "x", "%ff", "..%2f..%2fetc", "bld_"] {
        for rest in ["", "/plan", "/plan/output", "/tasks", "/files", "/diff", "/archive.tar.gz", "/events"] {
            problem(api.get(&format!("/v1/builds/{id}{rest}")).await, 404, "build_unknown").await;
        }
        let cancel = api.request(Method::POST, &format!("/v1/builds/{id}/cancel")).send().await.unwrap();
        problem(cancel, 404, "build_unknown").await;
    }
    let known = api.submit_chain(1).await;
    for id in
        ["x".to_owned(), format!("tsk_{}_0", &unknown[4..]), format!("tsk_{}_1", &known.to_string()[4..])]
    {
        problem(api.get(&format!("/v1/tasks/{id}")).await, 404, "task_unknown").await;
        problem(api.get(&format!("/v1/tasks/{id}/output")).await, 404, "task_unknown").await;
    }
}

#[tokio::test]
async fn a_plan_that_a_model_made_is_shown_once_it_is_there() {
    let api = Api::start().await;
    let id = api.submit(&json!({"prompt": "plan it"})).await;
    let path = format!("/v1/builds/{id}/plan");
    problem(api.get(&path).await, 404, "plan_not_ready").await;
    assert_eq!(api.json(&format!("/v1/builds/{id}/tasks")).await, json!({"tasks": []}));

    let task =
        TaskDraft { id: "a".into(), task_type: "agent".into(), prompt: "p".into(), ..TaskDraft::default() };
    let draft = PlanDraft { tasks: vec![task], ..PlanDraft::default() };
    api.start_work(id, Work::Plan).await;
    api.finish(id, Work::Plan, Ok(Success::Plan(Plan::validate(draft, &Bounds::default()).unwrap()))).await;

    let plan = api.json(&path).await;
    assert_eq!(
        plan,
        json!({"source": "model", "tasks": [{"id": "a", "type": "agent", "prompt": "p"}],
            "dependencies": []})
    );
}

#[tokio::test]
async fn a_build_is_cancelled_once_and_for_all() {
    let api = Api::start().await;
    let id = api.submit_chain(2).await;
    let path = format!("/v1/builds/{id}/cancel");

    let response = api.post(&path, &json!({"reason": "changed my mind"})).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let etag = response.headers()["etag"].clone();
    let build: Value = response.json().await.unwrap();
    assert_eq!(build["status"], "cancelled");
    assert_eq!(build["tasks"]["cancelled"], 2);
    let events = api.json(&format!("/v1/builds/{id}/events")).await;
    let last = events["events"].as_array().unwrap().last().unwrap();
    assert_eq!(last["type"], "build_cancelled");
    assert_eq!(last["data"]["reason"], "changed my mind");
    assert_eq!(last["actor"], "local");

    let before = api.stored_events();
    let again = api.request(Method::POST, &path).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::ACCEPTED, "an empty body and a repeat are fine");
    assert_eq!(again.headers()["etag"], etag);
    assert_eq!(api.stored_events(), before);
}

#[tokio::test]
async fn a_cancellation_that_does_not_fit_changes_nothing() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let path = format!("/v1/builds/{id}/cancel");
    for (body, pointer) in [
        (json!({"reason": 1}), "/reason"),
        (json!({"reason": "x".repeat(1_001)}), "/reason"),
        (json!({"why": "x"}), "/why"),
        (json!([]), ""),
    ] {
        let problem = problem(api.post(&path, &body).await, 422, "invalid_request").await;
        assert_eq!(pointers(&problem), [pointer]);
    }
    let text = api.request(Method::POST, &path).header("content-type", "text/plain").body("stop");
    problem(text.send().await.unwrap(), 415, "unsupported_media_type").await;
    assert_eq!(api.json(&format!("/v1/builds/{id}")).await["status"], "queued");

    api.complete(id, 1).await;
    problem(api.post(&path, &json!({})).await, 409, "build_ended").await;
}

#[tokio::test]
async fn a_build_that_expired_says_so() {
    let api = Api::start().await;
    let id = api.submit(&json!({"prompt": "x", "limits": {"buildTimeoutSeconds": 1}})).await;
    let late = api.app.clock.now() + Duration::from_secs(5);
    api.command(id, Command::Expire { at: late }).await;
    let build = api.json(&format!("/v1/builds/{id}")).await;
    assert_eq!(build["failure"]["class"], "timeout");
}
