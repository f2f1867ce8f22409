//! Webhook endpoints: made, looked at, changed, and never telling a secret twice.

use crate::support::{Api, Sse, pointers, problem};
use buildwright_api::{ApiSettings, App, AppParts, IdempotencySettings, WebhookSettings};
use domain::EndpointId;
use names::Scope;
use ports::{EventStore as _, KeyLimits, Position};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::{sync::atomic::Ordering, time::Duration};
use ulid::Ulid;

const URL: &str = "https://hooks.example.com/in";
const ENDPOINTS: &str = "/v1/webhook-endpoints";
const OWN_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn read(response: Response, status: StatusCode) -> Value {
    let found = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(found, status, "{body}");
    body
}

async fn create(api: &Api, body: &Value) -> Value {
    read(api.post(ENDPOINTS, body).await, StatusCode::CREATED).await
}

fn path(endpoint: &Value) -> String {
    format!("{ENDPOINTS}/{}", endpoint["id"].as_str().unwrap())
}

async fn patch(api: &Api, endpoint: &Value, body: &Value) -> Response {
    api.request(Method::PATCH, &path(endpoint)).json(body).send().await.unwrap()
}

/// A change that needs no body.
async fn ask(api: &Api, endpoint: &Value, what: &str) -> Response {
    api.request(Method::POST, &format!("{}/{what}", path(endpoint))).send().await.unwrap()
}

async fn kinds(api: &Api) -> Vec<String> {
    let events = api.store.read_all(Position(0), 1_000).await.unwrap();
    events.iter().map(|event| event.kind.to_string()).collect()
}

/// What the vault holds of an endpoint, opened.
async fn contents(api: &Api, endpoint: &Value) -> endpoints::Contents {
    let id: EndpointId = endpoint["id"].as_str().unwrap().parse().unwrap();
    api.app.endpoints.as_ref().unwrap().vault().open(id).await.unwrap().1
}

#[tokio::test]
async fn an_endpoint_is_made_with_defaults_and_its_secret_is_shown_once() {
    let api = Api::start().await;
    let response = api.post(ENDPOINTS, &json!({ "url": URL })).await;
    let headers = response.headers().clone();
    let made = read(response, StatusCode::CREATED).await;
    assert_eq!(headers["location"], path(&made));
    assert_eq!(
        (headers["etag"].as_bytes(), headers["cache-control"].as_bytes()),
        (&b"\"1\""[..], &b"no-store"[..])
    );
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(
        (&made["events"], &made["payload"], &made["order"]),
        (&json!(["*"]), &json!("full"), &json!("any"))
    );
    assert_eq!((&made["status"], &made["signatures"]), (&json!("enabled"), &json!("hmac")));
    assert_eq!((&made["concurrency"], &made["timeoutSeconds"]), (&json!(8), &json!(15)));

    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("secret");
    let response = api.get(&path(&made)).await;
    assert_eq!(response.headers()["etag"], "\"1\"");
    assert_eq!(read(response, StatusCode::OK).await, shown);
    assert_eq!(api.json(ENDPOINTS).await, json!({ "endpoints": [shown] }));
}

#[tokio::test]
async fn an_endpoint_is_what_was_asked_for_and_a_change_leaves_the_rest_as_it_is() {
    let api = Api::start().await;
    let asked = json!({
        "url": URL, "description": "chat", "events": ["build_*", "task_failed"], "projects": ["shop"],
        "labels": { "team": "web" }, "payload": "thin", "headers": { "Authorization": "Bearer hidden-value" },
        "order": "per_build", "ratePerSecond": 20, "concurrency": 4, "timeoutSeconds": 7,
        "signatures": "hmac_and_ed25519", "secret": OWN_SECRET,
    });
    let made = create(&api, &asked).await;
    for field in asked.as_object().unwrap().keys().filter(|field| *field != "headers") {
        assert_eq!(made[field], asked[field], "{field}");
    }
    assert_eq!(made["headerNames"], json!(["authorization"]));
    assert!(made["publicKey"].as_str().unwrap().starts_with("whpk_"));

    let change = json!({ "ratePerSecond": null, "projects": [] });
    let changed = read(patch(&api, &made, &change).await, StatusCode::OK).await;
    assert_eq!((&changed["projects"], changed.get("ratePerSecond")), (&json!([]), None));
    assert_eq!((&changed["version"], &changed["labels"]), (&json!(2), &asked["labels"]));
    assert_eq!(changed["publicKey"], made["publicKey"]);
    assert_eq!(contents(&api, &made).await.headers["authorization"], "Bearer hidden-value");

    let change = json!({ "headers": { "X-Team": "web" }, "signatures": "hmac" });
    let changed = read(patch(&api, &made, &change).await, StatusCode::OK).await;
    assert_eq!((&changed["headerNames"], changed.get("publicKey")), (&json!(["x-team"]), None));
    let kept = contents(&api, &made).await;
    assert_eq!((kept.headers.len(), kept.headers["x-team"].as_str()), (1, "web"));
    assert!(kept.public_key().is_none());

    let same = read(patch(&api, &made, &json!({ "payload": "thin" })).await, StatusCode::OK).await;
    assert_eq!(same["version"], changed["version"]);
}

#[tokio::test]
async fn addresses_of_what_only_we_can_reach_are_refused_in_every_spelling() {
    let api = Api::start().await;
    for url in [
        "http://127.1",
        "http://0x7f.1",
        "http://[::ffff:10.0.0.1]",
        "http://[64:ff9b::a00:1]",
        "http://localhost.",
        "http://localhost:8080/x",
        "http://169.254.169.254/latest/meta-data",
        "https://user:password@example.com/",
        "ftp://example.com/",
        "example.com",
        "",
    ] {
        let refused =
            problem(api.post(ENDPOINTS, &json!({ "url": url })).await, 422, "invalid_request").await;
        assert_eq!(pointers(&refused), ["/url"], "{url}");
        let order = json!({ "prompt": "x", "webhook": { "url": url } });
        let refused = problem(api.post("/v1/builds", &order).await, 422, "invalid_request").await;
        assert_eq!(pointers(&refused), ["/webhook/url"], "{url}");
    }
    assert!(kinds(&api).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name_and_changes_nothing() {
    let api = Api::start().await;
    let made = create(&api, &json!({ "url": URL })).await;
    let many = |n: usize, text: &str| json!(vec![text; n]);
    for (field, value, says) in [
        ("headers", json!({ "X-A": "a\r\nb: c" }), "line breaks"),
        ("headers", json!({ "X-A\n": "a" }), "name of a header"),
        ("headers", json!({ "Host": "a.test" }), "Host"),
        ("headers", json!({ "Content-Length": "1" }), "Content-Length"),
        ("headers", json!({ "webhook-signature": "v1,x" }), "webhook-signature"),
        ("headers", json!({ "X-A": 1 }), "texts"),
        ("events", json!(["build_finished"]), "build_finished"),
        ("events", json!(["builds_*"]), "builds_*"),
        ("events", json!(["**"]), "**"),
        ("events", many(65, "*"), "65"),
        ("projects", many(51, "shop"), "51"),
        ("labels", json!({ "bad key": "x" }), "key"),
        ("description", json!("x".repeat(501)), "500"),
        ("payload", json!("huge"), "full, thin"),
        ("order", json!("any "), "per_build"),
        ("signatures", json!("rsa"), "hmac"),
        ("ratePerSecond", json!(0), "1 to 1000"),
        ("concurrency", json!(65), "1 to 64"),
        ("timeoutSeconds", json!(31), "1 to 30"),
        ("unheardOf", json!(1), "unknown field"),
    ] {
        let creating = api.post(ENDPOINTS, &json!({ "url": URL, field: value })).await;
        let changing = patch(&api, &made, &json!({ field: value })).await;
        for response in [creating, changing] {
            let refused = problem(response, 422, "invalid_request").await;
            let first = refused["errors"][0].to_string();
            let named = pointers(&refused)[0].starts_with(&format!("/{field}"));
            assert!(first.contains(says) && named, "{refused}");
        }
    }
    let projects = json!({ "url": URL, "projects": ["shop", "../x"] });
    let refused = problem(api.post(ENDPOINTS, &projects).await, 422, "invalid_request").await;
    assert_eq!(pointers(&refused), ["/projects/1"]);
    let refused = problem(api.post(ENDPOINTS, &json!({})).await, 422, "invalid_request").await;
    assert_eq!(pointers(&refused), ["/url"]);
    assert_eq!(kinds(&api).await, ["webhook_endpoint_created"]);
}

#[tokio::test]
async fn a_secret_that_is_none_is_refused_without_being_repeated() {
    let api = Api::start().await;
    for secret in ["whsec_c2hvcnQ=", "whsec_???tooshort", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "a pass phrase"]
    {
        let refused = api.post(ENDPOINTS, &json!({ "url": URL, "secret": secret })).await;
        let refused = problem(refused, 422, "invalid_request").await;
        assert_eq!(pointers(&refused), ["/secret"]);
        assert!(!refused.to_string().contains(secret), "{refused}");
    }
}

#[tokio::test]
async fn a_change_of_an_outdated_version_is_refused_and_leaves_no_event() {
    let api = Api::start().await;
    let made = create(&api, &json!({ "url": URL })).await;
    read(patch(&api, &made, &json!({ "description": "new" })).await, StatusCode::OK).await;
    let before = kinds(&api).await;
    let rotate = format!("{}/rotate-secret", path(&made));
    for (method, path) in [
        (Method::PATCH, path(&made)),
        (Method::DELETE, path(&made)),
        (Method::POST, rotate.clone()),
        (Method::POST, format!("{}/disable", path(&made))),
    ] {
        let request = api.request(method.clone(), &path).header("if-match", "\"1\"");
        let changing = method == Method::PATCH;
        let request = if changing { request.json(&json!({ "description": "x" })) } else { request };
        problem(request.send().await.unwrap(), 412, "version_outdated").await;
    }
    assert_eq!(kinds(&api).await, before);
    let fits = api.request(Method::POST, &rotate).header("if-match", "\"2\"").send().await.unwrap();
    assert_eq!(fits.status(), 200);
}

#[tokio::test]
async fn rotating_shows_a_new_secret_once_and_the_old_one_stays_valid_for_its_time() {
    let api = Api::start().await;
    let made = create(&api, &json!({ "url": URL })).await;
    let rotate = format!("{}/rotate-secret", path(&made));
    let rotated = read(api.post(&rotate, &json!({ "graceSeconds": 60 })).await, StatusCode::OK).await;
    let (old, new) = (made["secret"].as_str().unwrap(), rotated["secret"].as_str().unwrap());
    let kept = contents(&api, &made).await;
    let now = api.app.clock.now();
    let valid = |seconds: i64| -> Vec<String> {
        let at = now + chrono::TimeDelta::seconds(seconds);
        kept.secrets(at).map(|(secret, _)| secret.reveal().to_string()).collect()
    };
    assert_eq!((valid(50), valid(61)), (vec![new.to_owned(), old.to_owned()], vec![new.to_owned()]));
    assert_ne!(old, new);
    assert!(!api.get(&path(&made)).await.text().await.unwrap().contains("whsec_"));

    let own = read(api.post(&rotate, &json!({ "secret": OWN_SECRET })).await, StatusCode::OK).await;
    assert_eq!(own["secret"], OWN_SECRET);
    for _ in 0..2 {
        read(ask(&api, &made, "rotate-secret").await, StatusCode::OK).await;
    }
    problem(ask(&api, &made, "rotate-secret").await, 409, "too_many_secrets").await;
    let too_long = api.post(&rotate, &json!({ "graceSeconds": 604_801 })).await;
    assert_eq!(pointers(&problem(too_long, 422, "invalid_request").await), ["/graceSeconds"]);
}

#[tokio::test]
async fn an_endpoint_can_be_disabled_enabled_and_deleted() {
    let api = Api::start().await;
    let made = create(&api, &json!({ "url": URL })).await;
    for _ in 0..2 {
        let off = read(ask(&api, &made, "disable").await, StatusCode::OK).await;
        assert_eq!((&off["status"], &off["disabledBecause"]), (&json!("disabled"), &json!("by_client")));
        assert_eq!(off["version"], 2);
    }
    let on = read(ask(&api, &made, "enable").await, StatusCode::OK).await;
    assert_eq!((&on["status"], on.get("disabledAt"), &on["version"]), (&json!("enabled"), None, &json!(3)));

    let deleted = api.request(Method::DELETE, &path(&made)).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert!(api.secrets.0.lock().unwrap().is_empty());
    assert_eq!(api.json(ENDPOINTS).await, json!({ "endpoints": [] }));
    for response in [
        api.get(&path(&made)).await,
        api.request(Method::DELETE, &path(&made)).send().await.unwrap(),
        patch(&api, &made, &json!({ "url": URL })).await,
        ask(&api, &made, "rotate-secret").await,
    ] {
        problem(response, 404, "webhook_endpoint_unknown").await;
    }
    problem(api.get(&format!("{ENDPOINTS}/whk_nonsense")).await, 404, "webhook_endpoint_unknown").await;
}

#[tokio::test]
async fn lists_come_in_pages_newest_first() {
    let api = Api::start().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.insert(0, create(&api, &json!({ "url": URL })).await["id"].clone());
    }
    let first = api.json(&format!("{ENDPOINTS}?limit=2")).await;
    let ids = |page: &Value| -> Vec<Value> {
        page["endpoints"].as_array().unwrap().iter().map(|endpoint| endpoint["id"].clone()).collect()
    };
    assert_eq!(ids(&first), made[..2]);
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = api.json(&format!("{ENDPOINTS}?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&rest), rest.get("nextCursor")), (made[2..].to_vec(), None));
    for query in ["limit=0", "limit=-1", "limit=1000000000", "cursor=garbage"] {
        problem(api.get(&format!("{ENDPOINTS}?{query}")).await, 400, "invalid_parameters").await;
    }
}

#[tokio::test]
async fn a_tenant_has_at_most_so_many_endpoints() {
    let webhooks = WebhookSettings { max_endpoints: 2, ..WebhookSettings::default() };
    let api = Api::with(ApiSettings { webhooks, ..ApiSettings::default() }).await;
    let first = create(&api, &json!({ "url": URL })).await;
    create(&api, &json!({ "url": URL })).await;
    problem(api.post(ENDPOINTS, &json!({ "url": URL })).await, 409, "too_many_webhook_endpoints").await;
    api.request(Method::DELETE, &path(&first)).send().await.unwrap();
    create(&api, &json!({ "url": URL })).await;
}

#[tokio::test]
async fn the_same_request_again_makes_no_second_endpoint_and_shows_no_secret() {
    let api = Api::start().await;
    let order = json!({ "url": URL });
    let ask = || api.request(Method::POST, ENDPOINTS).header("idempotency-key", "one").json(&order);
    let made = read(ask().send().await.unwrap(), StatusCode::CREATED).await;
    let again = ask().send().await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let again = problem(again, 409, "idempotency_answer_withheld").await;
    assert!(!again.to_string().contains("whsec_"));
    assert_eq!(kinds(&api).await, ["webhook_endpoint_created"]);
    assert_eq!(api.json(ENDPOINTS).await["endpoints"][0]["id"], made["id"]);
}

#[tokio::test]
async fn the_last_endpoint_that_there_may_be_is_answered_again_after_a_death() {
    // The record of whoever died is nobody's at once.
    let idempotency = IdempotencySettings { lease: Duration::ZERO, ..IdempotencySettings::default() };
    let webhooks = WebhookSettings { max_endpoints: 1, ..WebhookSettings::default() };
    let api = Api::with(ApiSettings { webhooks, idempotency, ..ApiSettings::default() }).await;
    let order = json!({ "url": URL });
    let ask = |key: &'static str| {
        api.request(Method::POST, ENDPOINTS).header("idempotency-key", key).json(&order).send()
    };
    api.idempotency.deaf.store(true, Ordering::SeqCst);
    let lost = read(ask("one").await.unwrap(), StatusCode::CREATED).await;
    api.idempotency.deaf.store(false, Ordering::SeqCst);

    problem(ask("other").await.unwrap(), 409, "too_many_webhook_endpoints").await;
    let again = read(ask("one").await.unwrap(), StatusCode::CREATED).await;
    assert_eq!((&again["id"], &again["secret"]), (&lost["id"], &lost["secret"]));
    assert_eq!(kinds(&api).await, ["webhook_endpoint_created"]);
}

#[tokio::test]
async fn the_key_of_a_request_stands_for_one_endpoint_of_one_tenant() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let ours = api.key(1, "ours", &[Scope::WebhooksManage], KeyLimits::default()).await;
    let theirs = api.key(2, "theirs", &[Scope::WebhooksManage], KeyLimits::default()).await;
    let ask = async |key: &str, url: &str| {
        let request = api.request(Method::POST, ENDPOINTS).bearer_auth(key).header("idempotency-key", "one");
        request.json(&json!({ "url": url })).send().await.unwrap()
    };
    let made = read(ask(&ours, URL).await, StatusCode::CREATED).await;
    let other_body = ask(&ours, "https://hooks.example.com/other").await;
    problem(other_body, 422, "idempotency_key_reused").await;
    let independent = read(ask(&theirs, URL).await, StatusCode::CREATED).await;
    assert_ne!(independent["id"], made["id"]);
    let at_once = futures::future::join_all((0..8).map(|_| ask(&theirs, URL))).await;
    assert!(at_once.iter().all(|answer| answer.status() == 409), "{at_once:?}");
    assert_eq!(kinds(&api).await, ["webhook_endpoint_created"; 2]);
}

#[tokio::test]
async fn only_the_scope_manages_endpoints_and_other_tenants_see_none_of_them() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let ours = api.key(1, "ours", &[Scope::WebhooksManage], KeyLimits::default()).await;
    let theirs = api.key(2, "theirs", &[Scope::WebhooksManage], KeyLimits::default()).await;
    let reader = api.key(3, "ours", &[Scope::BuildsRead, Scope::BuildsWrite], KeyLimits::default()).await;
    let ask = |key: &str, method: Method, path: &str| api.request(method, path).bearer_auth(key);

    let lacking = ask(&reader, Method::POST, ENDPOINTS).json(&json!({ "url": URL })).send().await.unwrap();
    problem(lacking, 403, "scope_missing").await;
    let made = ask(&ours, Method::POST, ENDPOINTS).json(&json!({ "url": URL })).send().await.unwrap();
    let made = read(made, StatusCode::CREATED).await;

    let listed = ask(&theirs, Method::GET, ENDPOINTS).send().await.unwrap();
    assert_eq!(read(listed, StatusCode::OK).await, json!({ "endpoints": [] }));
    for (method, path) in [
        (Method::GET, path(&made)),
        (Method::PATCH, path(&made)),
        (Method::DELETE, path(&made)),
        (Method::POST, format!("{}/rotate-secret", path(&made))),
        (Method::POST, format!("{}/enable", path(&made))),
        (Method::POST, format!("{}/disable", path(&made))),
    ] {
        let response = ask(&theirs, method, &path).json(&json!({})).send().await.unwrap();
        problem(response, 404, "webhook_endpoint_unknown").await;
    }
    let events = api.store.read_all(Position(0), 10).await.unwrap();
    let [created] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(created.metadata.tenant.as_str(), "ours");
    assert_eq!(created.metadata.actor.as_deref(), Some(&*names::KeyId::new(Ulid(1)).to_string()));
}

#[tokio::test]
async fn only_who_may_manage_webhooks_sees_whole_addresses_in_events() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let manager = api.key(1, "ours", &[Scope::BuildsRead, Scope::WebhooksManage], KeyLimits::default()).await;
    let reader = api.key(2, "ours", &[Scope::BuildsRead], KeyLimits::default()).await;
    let admin = api.key(3, "ours", &[Scope::Admin], KeyLimits::default()).await;
    let events = |key: &str| api.request(Method::GET, "/v1/events").bearer_auth(key);
    let hidden = "https://hooks.example.com/…";
    let expected = [
        (&manager, [URL, "https://other.example.com:8443?key=1"]),
        (&admin, [URL, "https://other.example.com:8443?key=1"]),
        (&reader, [hidden, "https://other.example.com:8443/…"]),
    ];
    let mut live = Vec::new();
    for (key, urls) in expected {
        live.push((Sse::open(events(key)).await, urls));
    }
    api.store.watched_by(1).await;

    let request = api.request(Method::POST, ENDPOINTS).bearer_auth(&manager);
    let made = request.json(&json!({ "url": URL, "description": "chat" })).send().await.unwrap();
    let made = read(made, StatusCode::CREATED).await;
    let request = api.request(Method::PATCH, &path(&made)).bearer_auth(&manager);
    let change = json!({ "url": "https://other.example.com:8443?key=1" });
    read(request.json(&change).send().await.unwrap(), StatusCode::OK).await;

    let urls = |events: &[Value]| -> Vec<String> {
        assert!(events.iter().all(|event| event["data"]["description"] == "chat"));
        events.iter().map(|event| event["data"]["url"].as_str().unwrap().to_owned()).collect()
    };
    for (mut stream, expected) in live {
        let told: Vec<Value> = stream.take(2).await.into_iter().map(|event| event.data).collect();
        assert_eq!(urls(&told), expected);
    }
    for (key, expected) in expected {
        let page = read(events(key).send().await.unwrap(), StatusCode::OK).await;
        assert_eq!(urls(page["events"].as_array().unwrap()), expected);
        let told: Vec<Value> =
            Sse::open(events(key)).await.take(2).await.into_iter().map(|event| event.data).collect();
        assert_eq!(urls(&told), expected);
    }
}

#[tokio::test]
async fn without_a_key_to_seal_secrets_with_it_is_said_what_to_set() {
    let api = Api::start().await;
    let app = App::new(AppParts { endpoints: None, ..AppParts::clone(&api.app) });
    let api = api.serving(app).await;
    let order = json!({ "prompt": "x", "webhook": { "url": URL } });
    for response in [
        api.get(ENDPOINTS).await,
        api.post(ENDPOINTS, &json!({ "url": URL })).await,
        api.get(&format!("{ENDPOINTS}/whk_01ARZ3NDEKTSV4RRFFQ69G5FAV")).await,
        api.post("/v1/builds", &order).await,
    ] {
        let problem = problem(response, 503, "webhooks_not_configured").await;
        assert!(problem["detail"].as_str().unwrap().contains("BUILDWRIGHT_SECRET_KEY"), "{problem}");
    }
    assert!(kinds(&api).await.is_empty());
}

#[tokio::test]
async fn a_build_can_bring_an_endpoint_of_its_own() {
    let api = Api::start().await;
    let order = json!({ "prompt": "x", "webhook": { "url": URL } });
    let build = read(api.post("/v1/builds", &order).await, StatusCode::ACCEPTED).await;
    let endpoint = json!({ "id": build["webhook"]["endpointId"] });
    assert!(build["webhook"]["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(kinds(&api).await[..2], ["webhook_endpoint_created", "build_submitted"]);

    let shown = api.json(&format!("/v1/builds/{}", build["id"].as_str().unwrap())).await;
    assert_eq!(shown["webhook"], json!({ "endpointId": endpoint["id"] }));
    let shown = api.json(&path(&endpoint)).await;
    assert_eq!((&shown["buildId"], &shown["url"]), (&build["id"], &json!(URL)));
    assert_eq!(api.json(ENDPOINTS).await, json!({ "endpoints": [] }));

    let order = json!({ "prompt": "x", "webhook": { "url": URL, "secret": OWN_SECRET } });
    let build = read(api.post("/v1/builds", &order).await, StatusCode::ACCEPTED).await;
    assert_eq!(build["webhook"].get("secret"), None);
    let endpoint = json!({ "id": build["webhook"]["endpointId"] });
    let kept = contents(&api, &endpoint).await;
    assert_eq!(kept.secrets(api.app.clock.now()).next().unwrap().0.reveal().as_str(), OWN_SECRET);
}

#[tokio::test]
async fn nothing_secret_is_in_events_answers_or_what_is_stored() {
    let api = Api::start().await;
    let value = "Bearer hidden-value";
    let body = json!({ "url": URL, "headers": { "authorization": value }, "signatures": "hmac_and_ed25519" });
    let made = create(&api, &body).await;
    let rotated = read(ask(&api, &made, "rotate-secret").await, StatusCode::OK).await;
    let change = json!({ "headers": { "x-other": "another-value" } });
    read(patch(&api, &made, &change).await, StatusCode::OK).await;

    let mut seen = String::new();
    for path in [path(&made), ENDPOINTS.to_owned(), "/v1/events".to_owned()] {
        seen += &api.get(&path).await.text().await.unwrap();
    }
    for event in api.store.read_all(Position(0), 1_000).await.unwrap() {
        seen += &event.payload;
    }
    let sealed: Vec<u8> =
        api.secrets.0.lock().unwrap().values().flat_map(|kept| kept.sealed.clone()).collect();
    seen += &String::from_utf8_lossy(&sealed);
    assert!(seen.contains(URL));
    let secrets = [&made["secret"], &rotated["secret"]].map(|secret| secret.as_str().unwrap().to_owned());
    for secret in secrets.iter().map(String::as_str).chain([value, "another-value", "whsec_", "whsk_"]) {
        assert!(!seen.contains(secret), "{secret}");
    }
}
