//! The OpenAPI document.

use crate::support::{Api, pointers, problem};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

fn document() -> Value {
    buildwright_api::openapi()
}

#[test]
fn the_committed_openapi_document_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/openapi.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    #[expect(clippy::disallowed_methods, reason = "the switch of this test, documented in its message")]
    let update = std::env::var_os("BUILDWRIGHT_UPDATE_OPENAPI").is_some();
    if update {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "openapi/openapi.json does not describe the endpoints as they are. Bring it up to date with\n  \
         BUILDWRIGHT_UPDATE_OPENAPI=1 cargo test -p buildwright-api the_committed_openapi_document_is_current\n\
         and commit it with the change."
    );
}

#[tokio::test]
async fn the_served_document_is_the_committed_one_and_can_be_browsed() {
    let api = Api::start().await;
    assert_eq!(api.json("/openapi.json").await, document());
    let page = api.get("/docs").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("swagger-ui"));
}

#[tokio::test]
async fn every_documented_operation_is_served_and_only_those_methods() {
    let api = Api::start().await;
    let document = document();
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for (path, operations) in document["paths"].as_object().unwrap() {
        let concrete = path.replace("{id}", "none");
        for method in &methods {
            let documented = operations.get(method.as_str().to_lowercase()).is_some();
            let response = api.request(method.clone(), &concrete).header("accept", "application/json");
            let status = response.send().await.unwrap().status().as_u16();
            assert_eq!(status != 405, documented, "{method} {path}: {status}");
        }
    }
}

#[test]
fn operations_have_names_of_their_own_and_document_their_errors() {
    let document = document();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} twice");
            assert!(operation["summary"].is_string(), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let error = status.starts_with('4') || status.starts_with('5');
                let problem = response["content"].get("application/problem+json").is_some();
                assert_eq!(error, problem, "{method} {path} {status}");
            }
            if path.starts_with("/v1/") {
                assert!(operation["responses"].get("503").is_some(), "{method} {path}");
            }
        }
    }
    assert_eq!(names.len(), 32);
}

#[tokio::test]
async fn every_documented_field_of_an_order_is_read() {
    let api = Api::start().await;
    let document = document();
    let fields = |schema: &str| -> Map<String, Value> {
        let schema = &document["components"]["schemas"][schema];
        assert_eq!(schema["additionalProperties"], false);
        schema["properties"].as_object().unwrap().keys().map(|name| (name.clone(), json!([[]]))).collect()
    };
    let with = |field: &str, value: Value| {
        let mut body = json!({"prompt": "x"});
        body[field] = value;
        body
    };
    // A list in a list fits no field: each must be complained about for its type, none for being unknown.
    for (schema, body, at) in [
        ("SubmitBuild", Value::Object(fields("SubmitBuild")), String::new()),
        ("RepositoryDraft", with("repository", json!(fields("RepositoryDraft"))), "/repository".into()),
        ("LimitsDraft", with("limits", json!(fields("LimitsDraft"))), "/limits".into()),
        ("PlanDraft", with("plan", json!(fields("PlanDraft"))), "/plan".into()),
        ("TaskDraft", with("plan", json!({"tasks": [fields("TaskDraft")]})), "/plan/tasks/0".into()),
        (
            "Dependency",
            with("plan", json!({"tasks": [], "dependencies": [fields("Dependency")]})),
            "/plan/dependencies/0".into(),
        ),
    ] {
        let problem = problem(api.post("/v1/builds", &body).await, 422, "invalid_request").await;
        let named: BTreeSet<&str> = pointers(&problem)
            .into_iter()
            .filter_map(|pointer| pointer.strip_prefix(&format!("{at}/"))?.split('/').next())
            .collect();
        let documented = fields(schema);
        assert_eq!(named, documented.keys().map(String::as_str).collect(), "{schema}");
        assert!(!problem.to_string().contains("unknown field"), "{problem}");
    }
}
