//! Submitting: what is accepted, and everything that is not.

use crate::support::{Api, pointers, problem};
use buildwright_api::ApiSettings;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

async fn raw(api: &Api, body: impl Into<reqwest::Body>) -> Response {
    let request = api.request(Method::POST, "/v1/builds").header("content-type", "application/json");
    request.body(body).send().await.unwrap()
}

#[tokio::test]
async fn a_prompt_is_enough_and_the_answer_is_the_build() {
    let api = Api::start().await;

    let response = api.post("/v1/builds", &json!({"prompt": "a word counter"})).await;

    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let etag = response.headers()["etag"].to_str().unwrap().to_owned();
    let build: Value = response.json().await.unwrap();
    let id = build["id"].as_str().unwrap();
    assert_eq!(location, format!("/v1/builds/{id}"));
    assert_eq!(etag, format!("\"{}\"", build["version"]));
    assert_eq!(build["status"], "queued");
    assert_eq!(build["model"], "sonnet");
    assert_eq!((&build["priority"], &build["pool"]), (&json!(0), &json!("default")));
    assert_eq!(build["project"], id.replace('_', "-").to_lowercase(), "a build has its own project");
    assert_eq!(
        build["limits"],
        json!({
            "taskTimeoutSeconds": 60, "buildTimeoutSeconds": 900, "maxParallel": 5, "maxAttempts": 2,
        })
    );
    assert!(build["submittedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(api.json(&location).await, build, "the build is there when the answer is");
}

#[tokio::test]
async fn everything_that_can_be_ordered_is_kept() {
    let api = Api::start().await;

    let id = api
        .submit(&json!({
            "prompt": "shop", "project": "shop.v2", "framework": "axum", "model": "claude-opus-4[1m]",
            "repository": {"url": "https://example.com/a/b.git", "branch": "feature/x"},
            "limits": {"taskTimeoutSeconds": 5, "buildTimeoutSeconds": 50, "maxCostUsd": 1.25,
                "maxParallel": 50, "maxAttempts": 3},
            "labels": {"team/name": "blue", "ticket": ""}, "priority": -3, "pool": "large",
            "plan": {"summary": "two steps", "tasks": [
                {"id": "a", "type": "create_file", "prompt": "write a", "targets": ["src/a.rs"], "title": "A"},
                {"id": "b", "type": "command", "command": "cargo test", "timeoutSeconds": 9,
                    "requires": ["gpu", "arm64", "gpu"]},
            ], "dependencies": [{"task": "b", "dependsOn": ["a"]}]},
        }))
        .await;

    let build = api.json(&format!("/v1/builds/{id}")).await;
    assert_eq!(build["project"], "shop.v2");
    assert_eq!(build["framework"], "axum");
    assert_eq!(build["model"], "claude-opus-4[1m]");
    assert_eq!(build["repository"], json!({"url": "https://example.com/a/b.git", "branch": "feature/x"}));
    assert_eq!(build["limits"]["maxCostUsd"], 1.25);
    assert_eq!(build["limits"]["maxParallel"], 50);
    assert_eq!(build["labels"], json!({"team/name": "blue", "ticket": ""}));
    assert_eq!((&build["priority"], &build["pool"]), (&json!(-3), &json!("large")));
    assert_eq!(build["tasks"]["total"], 2);
    let plan = api.json(&format!("/v1/builds/{id}/plan")).await;
    assert_eq!(plan["source"], "client");
    assert_eq!(plan["summary"], "two steps");
    assert_eq!(plan["tasks"][0]["targets"], json!(["src/a.rs"]));
    assert_eq!(plan["tasks"][1]["requires"], json!(["arm64", "gpu"]), "in order, none twice");
    assert_eq!(plan["dependencies"], json!([{"task": "b", "dependsOn": ["a"]}]));
    let tasks = api.json(&format!("/v1/builds/{id}/tasks")).await;
    let first = &tasks["tasks"][0];
    assert_eq!(tasks["tasks"][1]["dependsOn"], json!([first["id"]]));
    assert_eq!(tasks["tasks"][1]["timeoutSeconds"], 9);
    assert_eq!(tasks["tasks"][1]["requires"], json!(["arm64", "gpu"]));
    assert_eq!(first["requires"], Value::Null);
    assert_eq!(first["timeoutSeconds"], 5, "the build's limit where the task has none");
    assert_eq!(first["type"], "create_file");
    assert_eq!(first["status"], "scheduled");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named_and_nothing_is_stored() {
    let api = Api::start().await;
    let with = |field: &str, value: Value| json!({"prompt": "x", field: value});
    let task = json!({"id": "a", "type": "agent", "prompt": "p"});
    let plan = |tasks: Value, dependencies: Value| json!({"prompt": "x", "plan": {"tasks": tasks, "dependencies": dependencies}});
    let requires = |labels: Value| {
        plan(json!([{"id": "a", "type": "agent", "prompt": "p", "requires": labels}]), json!([]))
    };
    let repository = |url: &str| json!({"prompt": "x", "repository": {"url": url}});
    let branch =
        |name: &str| json!({"prompt": "x", "repository": {"url": "https://example.com/a", "branch": name}});
    let limit = |name: &str, value: Value| json!({"prompt": "x", "limits": {name: value}});
    let label = |key: &str, value: Value| json!({"prompt": "x", "labels": {key: value}});
    let many_labels: serde_json::Map<String, Value> =
        (0..65).map(|n| (format!("k{n}"), json!("v"))).collect();

    for (body, pointer) in [
        (json!({}), "/prompt"),
        (json!({"prompt": null}), "/prompt"),
        (json!({"prompt": ""}), "/prompt"),
        (json!({"prompt": " \n\t"}), "/prompt"),
        (json!({"prompt": "é".repeat(100_001)}), "/prompt"),
        (json!({"prompt": "a\u{0}b"}), "/prompt"),
        (json!({"prompt": 7}), "/prompt"),
        (json!([]), ""),
        (json!("x"), ""),
        (with("promt", json!("x")), "/promt"),
        (with("a/b~c", json!("x")), "/a~1b~0c"),
        (with("project", json!("Shop")), "/project"),
        (with("project", json!("../x")), "/project"),
        (with("framework", json!("  ")), "/framework"),
        (with("model", json!("--dangerously-skip-permissions")), "/model"),
        (with("model", json!("")), "/model"),
        (with("priority", json!(11)), "/priority"),
        (with("priority", json!(-11)), "/priority"),
        (with("priority", json!(i64::MAX)), "/priority"),
        (with("priority", json!(u64::MAX)), "/priority"),
        (with("priority", json!(0.5)), "/priority"),
        (with("priority", json!("5")), "/priority"),
        (with("pool", json!("")), "/pool"),
        (with("pool", json!("Large")), "/pool"),
        (with("pool", json!("a.b>*")), "/pool"),
        (with("pool", json!("p".repeat(33))), "/pool"),
        (with("pool", json!(["default"])), "/pool"),
        (with("plan", json!([])), "/plan"),
        (with("labels", json!(many_labels)), "/labels"),
        (label("", json!("v")), "/labels/"),
        (label("a b", json!("v")), "/labels/a b"),
        (label(&"k".repeat(64), json!("v")), &format!("/labels/{}", "k".repeat(64))),
        (label("k", json!("v".repeat(256))), "/labels/k"),
        (label("k", json!(1)), "/labels/k"),
        (limit("taskTimeoutSeconds", json!(0)), "/limits/taskTimeoutSeconds"),
        (limit("taskTimeoutSeconds", json!(-1)), "/limits/taskTimeoutSeconds"),
        (limit("buildTimeoutSeconds", json!(1.5)), "/limits/buildTimeoutSeconds"),
        (limit("buildTimeoutSeconds", json!(604_801)), "/limits/buildTimeoutSeconds"),
        (limit("maxParallel", json!(1_001)), "/limits/maxParallel"),
        (limit("maxAttempts", json!(11)), "/limits/maxAttempts"),
        (limit("maxCostUsd", json!(0)), "/limits/maxCostUsd"),
        (limit("maxCostUsd", json!(-3)), "/limits/maxCostUsd"),
        (limit("maxCostUsd", json!(1e300)), "/limits/maxCostUsd"),
        (limit("maxCostUsd", json!("1")), "/limits/maxCostUsd"),
        (limit("maxTurns", json!(1)), "/limits/maxTurns"),
        (repository("-oProxyCommand=x"), "/repository/url"),
        (repository("ext::sh -c touch% x"), "/repository/url"),
        (repository("https://user:token@example.com/r"), "/repository/url"),
        (repository("/srv/git/local.git"), "/repository/url"),
        (json!({"prompt": "x", "repository": {}}), "/repository/url"),
        (branch("--upload-pack=x"), "/repository/branch"),
        (branch("a..b"), "/repository/branch"),
        (plan(json!([]), json!([])), "/plan/tasks"),
        (plan(json!([task, task]), json!([])), "/plan/tasks/1/id"),
        (plan(json!([task]), json!([{"task": "a", "dependsOn": ["a"]}])), "/plan/dependencies/0/dependsOn/0"),
        (plan(json!([task]), json!([{"task": "a", "dependsOn": ["z"]}])), "/plan/dependencies/0/dependsOn/0"),
        (plan(json!([task]), json!([{"task": "z", "dependsOn": []}])), "/plan/dependencies/0/task"),
        (plan(json!([{"id": "a", "type": "dance", "prompt": "p"}]), json!([])), "/plan/tasks/0/type"),
        (plan(json!([{"id": "a", "type": "agent", "promt": "p"}]), json!([])), "/plan/tasks/0/promt"),
        (plan(json!([{"id": "a", "type": "agent", "prompt": 1}]), json!([])), "/plan/tasks/0/prompt"),
        (requires(json!(["gpu", "GPU"])), "/plan/tasks/0/requires/1"),
        (requires(json!(["gpu", 1])), "/plan/tasks/0/requires/1"),
        (requires(json!("gpu")), "/plan/tasks/0/requires"),
        (requires(json!(["a", "b", "c", "d", "e"])), "/plan/tasks/0/requires"),
        (plan(json!(["a"]), json!([])), "/plan/tasks/0"),
        (plan(json!(vec![json!({}); 10_001]), json!([])), "/plan/tasks"),
    ] {
        let problem = problem(api.post("/v1/builds", &body).await, 422, "invalid_request").await;
        assert_eq!(pointers(&problem), [pointer], "{problem}");
        assert_eq!(problem["errors"][0]["in"], "body");
    }
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn what_is_refused_says_what_would_be_right() {
    let api = Api::start().await;
    for (body, message) in [
        (json!({"prompt": "x", "priority": 99}), "must be -10 to 10"),
        (
            json!({"prompt": "x", "pool": "Large"}),
            "must be 1 to 32 of `a-z`, `0-9` and `-`, starting with a letter or digit",
        ),
    ] {
        let problem = problem(api.post("/v1/builds", &body).await, 422, "invalid_request").await;
        assert_eq!(problem["errors"][0]["message"], message);
    }
}

#[tokio::test]
async fn where_pools_are_named_no_other_is_taken() {
    let pools = ["large", "default"].map(|name| name.parse().unwrap()).into();
    let api = Api::with(ApiSettings { pools, ..ApiSettings::default() }).await;
    let order = |pool: &str| json!({"prompt": "x", "pool": pool});

    let problem = problem(api.post("/v1/builds", &order("larg")).await, 422, "invalid_request").await;
    assert_eq!(pointers(&problem), ["/pool"]);
    assert_eq!(problem["errors"][0]["message"], "must be one of `default`, `large`");
    assert_eq!(api.stored_events(), 0);

    api.submit(&order("large")).await;
    api.submit(&json!({"prompt": "x"})).await;
    let document = api.json("/openapi.json").await;
    let told = document.pointer("/components/schemas/SubmitBuild/properties/pool/enum").unwrap();
    assert_eq!(*told, json!(["default", "large", null]));
}

#[tokio::test]
async fn where_the_usual_pool_is_not_among_those_named_a_build_must_name_one() {
    let pools = ["large".parse().unwrap()].into();
    let api = Api::with(ApiSettings { pools, ..ApiSettings::default() }).await;
    let response = api.post("/v1/builds", &json!({"prompt": "x"})).await;
    let problem = problem(response, 422, "invalid_request").await;
    assert_eq!(pointers(&problem), ["/pool"]);
    assert_eq!(problem["errors"][0]["message"], "must be one of `large`");
}

#[tokio::test]
async fn a_target_outside_of_the_workspace_is_named() {
    let api = Api::start().await;
    for target in ["/etc/passwd", "../../x", "a/../../x", ".git/hooks/post-commit", "", "a\nb"] {
        let task = json!({"id": "a", "type": "create_file", "prompt": "p", "targets": ["ok", target]});
        let body = json!({"prompt": "x", "plan": {"tasks": [task]}});
        let problem = problem(api.post("/v1/builds", &body).await, 422, "invalid_request").await;
        assert_eq!(pointers(&problem), ["/plan/tasks/0/targets/1"], "{target:?}");
    }
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn a_cycle_is_named_with_its_tasks() {
    let api = Api::start().await;
    let task = |id: &str| json!({"id": id, "type": "agent", "prompt": "p"});
    let body = json!({"prompt": "x", "plan": {
        "tasks": [task("a"), task("b"), task("free")],
        "dependencies": [{"task": "a", "dependsOn": ["b"]}, {"task": "b", "dependsOn": ["a"]}],
    }});

    let problem = problem(api.post("/v1/builds", &body).await, 422, "invalid_request").await;

    assert_eq!(pointers(&problem), ["/plan/dependencies"]);
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("a, b") && !message.contains("free"), "{message}");
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let api = Api::start().await;
    let body = json!({
        "prompt": " ", "extra": 1, "model": "-x", "limits": {"maxParallel": 0, "maxAttempts": "two"},
        "repository": {"url": "ext::x", "branch": "--upload-pack=x"}, "labels": {"k k": 1},
        "plan": {"tasks": [{"id": "a", "type": "agent", "prompt": "p"}, {"id": "a", "type": "x"}]},
    });

    let problem = problem(api.post("/v1/builds", &body).await, 422, "invalid_request").await;

    let mut named = pointers(&problem);
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "/extra",
            "/labels/k k",
            "/limits/maxAttempts",
            "/limits/maxParallel",
            "/model",
            "/plan/tasks/1/id",
            "/plan/tasks/1/type",
            "/prompt",
            "/repository/branch",
            "/repository/url",
        ]
    );
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn a_hostile_request_is_not_answered_at_length() {
    let api = Api::start().await;
    let fields: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (format!("{n}{}", "x".repeat(300)), json!(1))).collect();

    let response = raw(&api, serde_json::to_vec(&fields).unwrap()).await;

    assert_eq!(response.status(), 422);
    let length = response.bytes().await.unwrap().len();
    assert!(length < 50_000, "{length}");
}

#[tokio::test]
async fn a_prompt_that_is_not_utf_8_is_named() {
    let api = Api::start().await;

    let response = raw(&api, b"{\"labels\":{\"a\":\"b\"},\"prompt\":\"caf\xe9\"}".to_vec()).await;

    let problem = problem(response, 400, "malformed_body").await;
    assert_eq!(pointers(&problem), ["/prompt"]);
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let api = Api::start().await;
    let nested = |depth: usize| format!("{{\"prompt\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for body in ["", "{", "nonsense", "{\"prompt\":\"x\"} trailing", "{\"prompt\":\"\\ud800\"}"] {
        let problem = problem(raw(&api, body).await, 400, "malformed_body").await;
        assert_eq!(pointers(&problem), [""], "{body}");
    }
    for depth in [64, 10_000, 1_000_000] {
        let problem = problem(raw(&api, nested(depth)).await, 400, "malformed_body").await;
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert_eq!(message, "nested deeper than 64 levels");
    }
    problem(raw(&api, nested(63)).await, 422, "invalid_request").await;
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn only_json_is_taken() {
    let api = Api::start().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"] {
        let request = api.request(Method::POST, "/v1/builds").header("content-type", kind);
        let response = request.body(r#"{"prompt":"x"}"#).send().await.unwrap();
        problem(response, 415, "unsupported_media_type").await;
    }
    let untyped = api.request(Method::POST, "/v1/builds").body(r#"{"prompt":"x"}"#).send().await.unwrap();
    problem(untyped, 415, "unsupported_media_type").await;
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn a_body_is_bounded_whether_or_not_it_tells_its_length() {
    let api = Api::start().await;
    let large = format!(r#"{{"prompt":"{}"}}"#, "x".repeat(4 << 20));
    problem(raw(&api, large.clone()).await, 413, "body_too_large").await;

    let chunks =
        large.into_bytes().chunks(64 << 10).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>();
    let untold = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    problem(raw(&api, untold).await, 413, "body_too_large").await;
    assert_eq!(api.stored_events(), 0);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let settings = ApiSettings { body_timeout: Duration::from_millis(50), ..ApiSettings::default() };
    let api = Api::with(settings).await;
    let never = futures::stream::pending::<std::io::Result<Vec<u8>>>();

    let response = raw(&api, reqwest::Body::wrap_stream(never)).await;

    problem(response, 408, "body_timeout").await;
}

#[tokio::test]
async fn a_local_repository_is_taken_where_that_is_allowed() {
    let settings = ApiSettings { allow_local_repositories: true, ..ApiSettings::default() };
    let api = Api::with(settings).await;
    api.submit(&json!({"prompt": "x", "repository": {"url": "/srv/git/local.git"}})).await;
}

#[tokio::test]
async fn a_store_that_is_down_is_not_the_clients_fault_and_not_described() {
    let api = Api::start().await;
    api.store.down.store(true, std::sync::atomic::Ordering::SeqCst);

    let response = api.post("/v1/builds", &json!({"prompt": "x"})).await;

    assert!(response.headers().contains_key("retry-after"));
    let problem = problem(response, 503, "unavailable").await;
    assert!(!problem.to_string().contains("secret.example"), "{problem}");
}
