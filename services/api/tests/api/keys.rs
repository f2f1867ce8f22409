//! API keys: who gets in, what they may do, and whose builds they see.

use crate::support::{Api, Client, Sse, client, key, problem};
use buildwright_api::{Access, Anonymous, ApiSettings, App, AppParts, Figures, KeySettings};
use domain::build::Work;
use names::{KeyId, Scope};
use ports::{ApiKeys as _, KeyChange, KeyLimits, KeyText};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use ulid::Ulid;

fn order() -> Value {
    let plan = json!({ "tasks": [{ "id": "t0", "type": "agent", "prompt": "work" }] });
    json!({ "prompt": "a chain", "plan": plan, "labels": { "team": "a" } })
}

/// The same stores behind other doors.
async fn with_keys(change: impl FnOnce(&mut KeySettings)) -> Api {
    let api = Api::start().await;
    let mut settings = ApiSettings::default().keys;
    change(&mut settings);
    let access = Access::new(api.keys.clone(), settings, Anonymous::Refused, Figures::Admin);
    let app = App::new(AppParts { access: Arc::new(access), ..AppParts::clone(&api.app) });
    api.serving(app).await
}

#[tokio::test]
async fn without_a_key_nothing_but_health_and_documentation_is_answered() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    for path in ["/healthz", "/readyz", "/openapi.json", "/docs/"] {
        assert_eq!(api.get(path).await.status(), 200, "{path}");
    }
    let id = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (path, method) in every_operation(id).into_iter().chain([("/v1/nothing".to_owned(), Method::GET)]) {
        let open = ["/healthz", "/readyz", "/openapi.json"].contains(&path.as_str());
        if open {
            continue;
        }
        let response = api.request(method.clone(), &path).json(&json!({})).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="buildwright""#, "{path}");
        problem(response, 401, "key_missing").await;
    }
}

/// Every documented operation, on something with this id.
fn every_operation(id: &str) -> Vec<(String, Method)> {
    let document = serde_json::to_value(buildwright_api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let task = format!("{}_0", id.replace("bld_", "tsk_"));
        let path = path.replace("/tasks/{id}", &format!("/tasks/{task}")).replace("{id}", id);
        let methods = item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        methods.into_iter().map(move |method| (path.clone(), method.to_uppercase().parse().unwrap()))
    });
    operations.collect()
}

#[tokio::test]
async fn a_key_that_cannot_be_used_is_refused_with_the_reason() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let now = api.app.clock.now();
    let expired = key(&api, 1, "a", &Scope::ALL, |key| key.expires_at = Some(now)).await;
    let by = KeyChange { at: now, by: "cli:ann".into() };
    let revoked = key(&api, 2, "a", &Scope::ALL, |key| key.revoked = Some(by)).await;
    let usable = key(&api, 3, "a", &Scope::ALL, |_| {}).await;
    let wrong_secret = KeyText::from_random(&[3; 8], &[99; 32]);
    let unknown = KeyText::from_random(&[9; 8], &[9; 32]);
    let bearer = |key: &KeyText| format!("Bearer {}", key.expose());
    for (authorization, code) in [
        (bearer(&expired), "key_expired"),
        (bearer(&revoked), "key_revoked"),
        (bearer(&wrong_secret), "key_invalid"),
        (bearer(&unknown), "key_invalid"),
        (format!("{}x", bearer(&usable)), "key_invalid"),
        (bearer(&usable).replace("Bearer", "Basic"), "key_invalid"),
        ("Bearer".to_owned(), "key_invalid"),
    ] {
        let request = api.request(Method::GET, "/v1/builds").header("authorization", &authorization);
        let response = request.send().await.unwrap();
        assert!(response.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"));
        problem(response, 401, code).await;
    }
    let request = api.request(Method::GET, "/v1/builds").header("x-api-key", usable.expose());
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_key_in_the_query_string_is_refused_even_where_none_is_needed() {
    let api = Api::start().await;
    let key = key(&api, 1, "default", &Scope::ALL, |_| {}).await;
    for path in [
        format!("/v1/builds?api_key={}", key.expose()),
        format!("/v1/builds?limit=1&x={}", key.expose()),
        "/v1/builds?access_token=x".to_owned(),
        format!("/healthz?{}", key.expose()),
    ] {
        let problem = problem(api.get(&path).await, 401, "key_in_query").await;
        assert!(!problem.to_string().contains(key.expose()), "{problem}");
    }
}

#[tokio::test]
async fn without_a_key_this_machine_is_the_owner_and_a_wrong_key_is_refused_all_the_same() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    let events = api.json(&format!("/v1/builds/{id}/events")).await;
    assert_eq!(events["events"][0]["actor"], "local");
    assert_eq!(api.get("/v1/executors").await.status(), 200);
    let wrong = api.request(Method::GET, "/v1/builds").bearer_auth("bw_nonsense").send().await.unwrap();
    problem(wrong, 401, "key_invalid").await;
    // Health is not about keys.
    let asked = api.request(Method::GET, "/healthz").bearer_auth("bw_nonsense").send().await.unwrap();
    assert_eq!(asked.status(), 200);
}

#[tokio::test]
async fn every_operation_needs_the_scope_that_the_document_names_and_admin_is_enough() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let admin = client(&api, 1, "a", &[Scope::Admin]).await;
    let id = admin.submit(&order()).await.to_string();
    let document = serde_json::to_value(buildwright_api::openapi()).unwrap();
    let mut clients = Vec::new();
    for (n, scope) in (10..).zip(Scope::ALL) {
        clients.push((scope, client(&api, n, "a", &[scope]).await));
    }
    let mut checked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(requirements) = operation["security"].as_array() else { continue };
            let needed = requirements.last().unwrap()["header"][0].as_str().unwrap();
            let needed: Scope = needed.parse().unwrap();
            let task = format!("/tasks/{}_0", id.replace("bld_", "tsk_"));
            let path = path.replace("/tasks/{id}", &task).replace("{id}", &id);
            for (scope, client) in &clients {
                let method: Method = method.to_uppercase().parse().unwrap();
                let request = client.request(method.clone(), &path).json(&json!({}));
                let response = request.send().await.unwrap();
                let allowed = *scope == needed || *scope == Scope::Admin;
                assert_eq!(response.status() != 403, allowed, "{scope} at {method} {path}");
                if !allowed {
                    let problem = problem(response, 403, "scope_missing").await;
                    assert!(problem["detail"].as_str().unwrap().contains(needed.as_str()), "{problem}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 50, "{checked}");
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_another_on_any_surface() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let (ann, bob) =
        (client(&api, 1, "ann", &[Scope::Admin]).await, client(&api, 2, "bob", &[Scope::Admin]).await);
    let id = ann.submit(&order()).await;
    api.write_output(id, Work::Task(plan::TaskNumber(0)), "secret").await;
    api.complete(id, 1).await;
    let own = bob.submit(&order()).await;

    // Every path that names the build is to bob what the path of no build is.
    let task = format!("{}_0", id.to_string().replace("bld_", "tsk_"));
    let nothing = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (path, method) in every_operation(&id.to_string()) {
        if !path.contains(&id.to_string()) && !path.contains(&task) {
            continue;
        }
        for accept in ["application/json", "text/event-stream"] {
            let ask = async |path: &str| {
                let request = bob.request(method.clone(), path).header("accept", accept);
                let response = request.send().await.unwrap();
                (response.status(), response.text().await.unwrap())
            };
            let elsewhere = path.replace(&id.to_string()[4..], &nothing[4..]);
            let (status, body) = ask(&path).await;
            assert_eq!(status, 404, "{method} {path}: {body}");
            assert_eq!(ask(&elsewhere).await, (status, body), "{method} {path}");
        }
    }
    assert_eq!(ann.json(&format!("/v1/builds/{id}")).await["status"], "completed");

    // Lists and the log hold his own only.
    for query in ["", "?status=completed,queued,executing", "?label=team:a", "?project=shop"] {
        let listed = bob.json(&format!("/v1/builds{query}")).await;
        assert!(!listed.to_string().contains(&id.to_string()), "{query}: {listed}");
    }
    assert_eq!(bob.json("/v1/builds").await["builds"].as_array().unwrap().len(), 1);
    let of_builds = |events: &Value| -> Vec<String> {
        events["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["buildId"].as_str().unwrap().to_owned())
            .collect()
    };
    let log = bob.json("/v1/events?limit=1000").await;
    assert!(!of_builds(&log).is_empty() && of_builds(&log).iter().all(|one| *one == own.to_string()));
    assert_eq!(log["events"][0]["actor"], bob.id.to_string());
    let seen = Sse::open(bob.request(Method::GET, "/v1/events?follow=false")).await.rest().await;
    assert!(seen.len() > 1 && seen.iter().all(|event| !event.data.to_string().contains(&id.to_string())));
    let all = ann.json("/v1/events?limit=1000").await;
    assert!(of_builds(&all).iter().all(|one| *one == id.to_string()));
}

#[tokio::test]
async fn a_follower_of_the_log_is_woken_by_its_own_tenant_only() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let (ann, bob) =
        (client(&api, 1, "ann", &[Scope::Admin]).await, client(&api, 2, "bob", &[Scope::Admin]).await);
    let mut stream = Sse::open(bob.request(Method::GET, "/v1/events")).await;
    for _ in 0..3 {
        ann.submit(&order()).await;
    }
    let own = bob.submit(&order()).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.event.as_str(), &first.data["buildId"]), ("build_submitted", &json!(own.to_string())));
}

#[tokio::test]
async fn results_come_from_the_tenants_own_repository() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let ann = client(&api, 1, "ann", &[Scope::Admin]).await;
    let id = ann.submit(&order()).await;
    api.complete(id, 1).await;
    assert_eq!(ann.get(&format!("/v1/builds/{id}/files")).await.status(), 200);
    let project = api.app.builds.read(id, |loaded| loaded.build.spec.as_ref().unwrap().owned_project()).await;
    assert!(project.unwrap().unwrap().to_string().starts_with("ann~"));
}

#[tokio::test]
async fn a_revoked_key_stops_working_when_what_is_remembered_is_old() {
    let api = with_keys(|keys| keys.trusted = Duration::from_millis(300)).await;
    let ann = client(&api, 1, "ann", &[Scope::Admin]).await;
    for _ in 0..5 {
        assert_eq!(ann.get("/v1/builds").await.status(), 200);
    }
    let by = KeyChange { at: api.app.clock.now(), by: "cli:ann".into() };
    api.keys.revoke_key(ann.id, &by).await.unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let response = ann.get("/v1/builds").await;
            if response.status() == 401 {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    problem(refused.await.unwrap(), 401, "key_revoked").await;
}

#[tokio::test]
async fn the_store_is_not_asked_for_every_request_about_unknown_keys_either() {
    let api = with_keys(|keys| keys.trusted = Duration::from_secs(3600)).await;
    let ann = client(&api, 1, "ann", &[Scope::Admin]).await;
    let unknown = KeyText::from_random(&[9; 8], &[9; 32]);
    for _ in 0..10 {
        assert_eq!(ann.get("/v1/builds").await.status(), 200);
        let request = api.request(Method::GET, "/v1/builds").bearer_auth(unknown.expose());
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    assert_eq!(api.keys.asked.load(SeqCst), 2);
}

#[tokio::test]
async fn while_the_keys_cannot_be_read_a_client_is_asked_to_come_again_and_health_is_answered() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let ann = client(&api, 1, "ann", &[Scope::Admin]).await;
    api.keys.down.store(true, SeqCst);
    let response = ann.get("/v1/builds").await;
    assert!(response.headers().contains_key("retry-after"));
    let problem = problem(response, 503, "unavailable").await;
    assert!(!problem.to_string().contains("secret.example"), "{problem}");
    assert_eq!(ann.get("/healthz").await.status(), 200);
    api.keys.down.store(false, SeqCst);
    assert_eq!(ann.get("/v1/builds").await.status(), 200);
}

#[tokio::test]
async fn it_is_noted_when_a_key_was_used_seldom_and_all_together() {
    let api = with_keys(|keys| keys.note_uses_every = Duration::from_millis(200)).await;
    let ann = client(&api, 1, "ann", &[Scope::Admin]).await;
    for _ in 0..20 {
        assert_eq!(ann.get("/v1/builds").await.status(), 200);
    }
    let noted = tokio::time::timeout(Duration::from_secs(20), async {
        while api.keys.last_used(ann.id).is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    noted.await.expect("it is noted");
    assert!(api.keys.noted.load(SeqCst) <= 10, "not for each request");
}

#[tokio::test]
async fn a_key_may_have_so_many_builds_open_and_no_more() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let two = KeyLimits { open_builds: NonZeroU32::new(2), ..KeyLimits::default() };
    let text = key(&api, 1, "ann", &[Scope::Admin], |key| key.limits = two).await;
    let ann = Client { api: &api, key: text.expose().to_owned(), id: KeyId::new(Ulid(1)) };

    // Many at once: two are taken.
    let order = order();
    let answers = futures::future::join_all((0..8).map(|_| ann.post("/v1/builds", &order))).await;
    let mut taken = Vec::new();
    for answer in answers {
        match answer.status().as_u16() {
            202 => taken.push(answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()),
            _ => {
                let problem = problem(answer, 429, "quota_exceeded").await;
                assert!(problem["detail"].as_str().unwrap().contains("2 builds"), "{problem}");
            }
        }
    }
    assert_eq!(taken.len(), 2);

    // When one has ended there is room for another; other keys have their own.
    let other = client(&api, 2, "ann", &[Scope::Admin]).await;
    other.submit(&order).await;
    assert_eq!(ann.post(&format!("/v1/builds/{}/cancel", taken[0]), &json!({})).await.status(), 202);
    ann.submit(&order).await;
    problem(ann.post("/v1/builds", &order).await, 429, "quota_exceeded").await;
}

#[tokio::test]
async fn figures_are_for_administrators_where_others_reach_them() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let reader = client(&api, 1, "ann", &[Scope::BuildsRead]).await;
    let admin = client(&api, 2, "ann", &[Scope::Admin]).await;
    problem(api.get("/metrics").await, 401, "key_missing").await;
    problem(reader.get("/metrics").await, 403, "scope_missing").await;
    assert_eq!(admin.get("/metrics").await.status(), 200);
    assert_eq!(Api::start().await.get("/metrics").await.status(), 200);
}
