//! Deliveries: listed, looked at, asked for again, and nobody else's business. And pings.

use crate::support::{Api, answered, client, problem};
use buildwright_api::{ApiSettings, App, AppParts};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{BuildId, EndpointId};
use names::Scope;
use ports::{AttemptError, Delivery, DeliveryAttempt, DeliveryId, DeliveryStatus, Position};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use ulid::Ulid;

const ENDPOINTS: &str = "/v1/webhook-endpoints";
const URL: &str = "https://hooks.example.com/in";
use DeliveryStatus::{Dead, Delivered, Pending};

/// Of each hour of a day, one delivery has this position.
fn at(position: u64) -> DateTime<Utc> {
    let midnight: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    midnight + TimeDelta::hours(position.cast_signed())
}

fn delivery(endpoint: EndpointId, position: u64, status: DeliveryStatus) -> Delivery {
    let build = BuildId::new(Ulid(7));
    let ended = status != Pending;
    Delivery {
        id: DeliveryId { endpoint, position: Position(position) },
        build: Some(build),
        event_id: format!("evt_{}_{position}", &build.to_string()[4..]).into(),
        event_type: "task_completed".into(),
        status,
        attempts: 2,
        tries: 2,
        next_at: (!ended).then(|| at(position + 1)),
        created_at: at(position),
        ended_at: ended.then(|| at(position)),
        last_status: Some(if status == Delivered { 204 } else { 500 }),
        last_error: (status != Delivered).then_some(AttemptError::Status),
    }
}

async fn endpoint(api: &Api) -> EndpointId {
    let response = api.post(ENDPOINTS, &json!({ "url": URL })).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    response.json::<Value>().await.unwrap()["id"].as_str().unwrap().parse().unwrap()
}

/// An endpoint with deliveries, the first of position 1.
async fn endpoint_with(api: &Api, statuses: &[DeliveryStatus]) -> EndpointId {
    let endpoint = endpoint(api).await;
    for (position, status) in (1..).zip(statuses) {
        api.deliveries.put(delivery(endpoint, position, *status), Vec::new());
    }
    endpoint
}

fn path(endpoint: EndpointId) -> String {
    format!("{ENDPOINTS}/{endpoint}")
}

fn id(endpoint: EndpointId, position: u64) -> String {
    DeliveryId { endpoint, position: Position(position) }.to_string()
}

fn sequences(list: &Value) -> Vec<u64> {
    let deliveries = list["deliveries"].as_array().unwrap();
    deliveries.iter().map(|delivery| delivery["sequence"].as_u64().unwrap()).collect()
}

async fn statuses(api: &Api, endpoint: EndpointId) -> Vec<String> {
    let list = api.json(&format!("{}/deliveries", path(endpoint))).await;
    let deliveries = list["deliveries"].as_array().unwrap();
    deliveries.iter().rev().map(|delivery| delivery["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_page_by_page() {
    let api = Api::start().await;
    let ours = endpoint_with(&api, &[Delivered, Dead, Pending, Delivered, Dead]).await;
    endpoint_with(&api, &[Delivered, Dead]).await;

    let list = format!("{}/deliveries?limit=2", path(ours));
    let (mut next, mut seen) = (Some(list.clone()), Vec::new());
    while let Some(page) = next.take() {
        let response = api.get(&page).await;
        let link = response.headers()["link"].to_str().unwrap().to_owned();
        let page: Value = response.json().await.unwrap();
        seen.push(sequences(&page));
        assert_eq!(link.contains("rel=\"next\""), page.get("nextCursor").is_some(), "{link}");
        next = page["nextCursor"].as_str().map(|cursor| format!("{list}&cursor={cursor}"));
    }
    assert_eq!(seen, [vec![5, 4], vec![3, 2], vec![1]]);
    assert!(sequences(&api.json(&format!("{}/deliveries", path(endpoint(&api).await))).await).is_empty());
}

#[tokio::test]
async fn a_list_can_be_of_one_status_only_and_its_pages_too() {
    let api = Api::start().await;
    let ours = endpoint_with(&api, &[Dead, Delivered, Dead, Pending, Dead]).await;
    let list = format!("{}/deliveries?status=dead&limit=2", path(ours));
    let first = api.json(&list).await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = api.json(&format!("{list}&cursor={cursor}")).await;
    assert_eq!((sequences(&first), sequences(&rest)), (vec![5, 3], vec![1]));
    for (status, expected) in [("pending", [4]), ("delivered", [2])] {
        let list = api.json(&format!("{}/deliveries?status={status}", path(ours))).await;
        assert_eq!(sequences(&list), expected, "{status}");
    }
}

#[tokio::test]
async fn a_delivery_tells_of_every_attempt() {
    let api = Api::start().await;
    let ours = endpoint(&api).await;
    let cut = DeliveryAttempt {
        status: None,
        error: Some(AttemptError::Timeout),
        message: Some("no answer within 15 s".to_owned()),
        response_headers: Vec::new(),
        took: Duration::from_secs(15),
        ..answered(1, 200, b"")
    };
    let attempts = vec![cut, answered(2, 503, b"come again"), answered(3, 204, b"\xff\xfe")];
    api.deliveries.put(Delivery { attempts: 3, ..delivery(ours, 1, Delivered) }, attempts);

    let shown = api.json(&format!("/v1/deliveries/{}", id(ours, 1))).await;
    assert_eq!((&shown["id"], &shown["endpointId"]), (&json!(id(ours, 1)), &json!(ours.to_string())));
    assert_eq!((&shown["type"], &shown["sequence"]), (&json!("task_completed"), &json!(1)));
    assert_eq!((&shown["status"], &shown["attempts"]), (&json!("delivered"), &json!(3)));
    assert_eq!(
        (&shown["endedAt"], shown.get("nextAttemptAt")),
        (&json!("2026-03-01T01:00:00Z"), None),
        "{shown}"
    );
    let [cut, refused, taken] = shown["attemptLog"].as_array().unwrap().as_slice() else {
        panic!("{shown}");
    };
    assert_eq!((&cut["error"], cut.get("status")), (&json!("timeout"), None));
    assert_eq!((&cut["message"], &cut["durationMs"]), (&json!("no answer within 15 s"), &json!(15_000)));
    assert_eq!(
        (&refused["status"], &refused["error"], &refused["responseBody"]),
        (&json!(503), &json!("status"), &json!("come again"))
    );
    assert_eq!(refused["responseHeaders"], json!([{ "name": "retry-after", "value": "30" }]));
    assert_eq!((taken.get("error"), taken.get("responseBody")), (None, None));
    assert_eq!(taken["responseBodyBase64"], "//4=");
}

#[tokio::test]
async fn one_that_ended_is_attempted_anew_however_it_ended() {
    let api = Api::start().await;
    let ours = endpoint_with(&api, &[Delivered, Dead, Dead]).await;
    for position in [1, 2] {
        let asked = format!("/v1/deliveries/{}/redeliver", id(ours, position));
        let response = api.request(Method::POST, &asked).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let now: Value = response.json().await.unwrap();
        assert_eq!((&now["status"], now.get("endedAt")), (&json!("pending"), None));
        assert!(now["nextAttemptAt"].is_string(), "{now}");
    }
    assert_eq!(statuses(&api, ours).await, ["pending", "pending", "dead"]);
}

#[tokio::test]
async fn what_was_given_up_since_a_time_is_attempted_anew_and_nothing_else() {
    let api = Api::start().await;
    let ours = endpoint_with(&api, &[Dead, Dead, Delivered, Dead]).await;
    let others = endpoint_with(&api, &[Dead, Dead, Dead, Dead]).await;
    let since = |time: &str| format!("{}/redeliver?since={time}", path(ours));
    let asked = api.request(Method::POST, &since("2026-03-01T02:00:00Z")).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::ACCEPTED);
    assert_eq!(asked.json::<Value>().await.unwrap(), json!({ "redelivered": 2 }));
    assert_eq!(statuses(&api, ours).await, ["dead", "pending", "delivered", "pending"]);
    assert_eq!(statuses(&api, others).await, ["dead"; 4]);
}

#[tokio::test]
async fn more_than_one_statement_changes_is_redelivered_to_the_last() {
    let api = Api::start().await;
    let ours = endpoint_with(&api, &vec![Dead; 2_001]).await;
    let all = format!("{}/redeliver?since=2020-01-01T00:00:00Z", path(ours));
    let asked = api.request(Method::POST, &all).send().await.unwrap();
    assert_eq!(asked.json::<Value>().await.unwrap(), json!({ "redelivered": 2_001 }));
}

#[tokio::test]
async fn a_ping_is_sent_at_once_and_says_what_became_of_it() {
    let api = Api::start().await;
    let ours = endpoint(&api).await;
    let ping = format!("{}/ping", path(ours));
    let failed = DeliveryAttempt { error: Some(AttemptError::Status), ..answered(1, 500, b"out of order") };
    api.deliveries.pings.lock().unwrap().extend([failed, answered(1, 204, b"")]);

    let ask = async || api.request(Method::POST, &ping).send().await.unwrap();
    let first: Value = ask().await.json().await.unwrap();
    assert_eq!((&first["delivered"], &first["attempt"]["status"]), (&json!(false), &json!(500)));
    assert_eq!(first["attempt"]["responseBody"], "out of order");
    // Also while nothing else is sent.
    let off = api.request(Method::POST, &format!("{}/disable", path(ours))).send().await.unwrap();
    assert_eq!(off.status(), StatusCode::OK);
    let second: Value = ask().await.json().await.unwrap();
    assert_eq!((&second["delivered"], &second["attempt"]["status"]), (&json!(true), &json!(204)));
    assert_eq!(*api.deliveries.pinged.lock().unwrap(), [(ours, URL.to_owned()), (ours, URL.to_owned())]);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_named() {
    let api = Api::start().await;
    let ours = path(endpoint_with(&api, &[Dead]).await);
    let cursor = |text: &str| {
        use base64::Engine as _;
        base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text)
    };
    let (negative, too_large, words) = (cursor("-1"), cursor("18446744073709551615"), cursor("first"));
    for (method, query, parameter) in [
        (Method::GET, "deliveries?limit=0".to_owned(), "limit"),
        (Method::GET, "deliveries?limit=-1".to_owned(), "limit"),
        (Method::GET, "deliveries?limit=201".to_owned(), "limit"),
        (Method::GET, "deliveries?limit=1000000000".to_owned(), "limit"),
        (Method::GET, "deliveries?cursor=garbage".to_owned(), "cursor"),
        (Method::GET, format!("deliveries?cursor={negative}"), "cursor"),
        (Method::GET, format!("deliveries?cursor={too_large}"), "cursor"),
        (Method::GET, format!("deliveries?cursor={words}"), "cursor"),
        (Method::GET, "deliveries?status=lost".to_owned(), "status"),
        (Method::GET, "deliveries?status=dead&status=pending".to_owned(), "status"),
        (Method::GET, "deliveries?state=dead".to_owned(), "state"),
        (Method::POST, "redeliver".to_owned(), "since"),
        (Method::POST, "redeliver?since=yesterday".to_owned(), "since"),
        (Method::POST, "redeliver?since=2026-02-30T00:00:00Z".to_owned(), "since"),
        (Method::POST, "redeliver?since=1772323200".to_owned(), "since"),
    ] {
        let path = format!("{ours}/{query}");
        let response = api.request(method, &path).send().await.unwrap();
        let refused = problem(response, 400, "invalid_parameters").await;
        assert_eq!(refused["errors"][0]["pointer"], format!("/{parameter}"), "{path}: {refused}");
    }
    assert_eq!(
        api.json(&format!("{ours}/deliveries?status=dead")).await["deliveries"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn what_names_no_delivery_is_not_found() {
    let api = Api::start().await;
    let ours = endpoint_with(&api, &[Dead]).await;
    let nobodys = EndpointId::new(Ulid(99));
    api.deliveries.put(delivery(nobodys, 1, Dead), Vec::new());
    for text in [
        id(ours, 2),
        id(nobodys, 1),
        "nothing".to_owned(),
        format!("{}0", id(ours, u64::MAX)),
        id(ours, 1).replace("dlv", "whk"),
    ] {
        for (method, path) in [
            (Method::GET, format!("/v1/deliveries/{text}")),
            (Method::POST, format!("/v1/deliveries/{text}/redeliver")),
        ] {
            let response = api.request(method, &path).send().await.unwrap();
            problem(response, 404, "delivery_unknown").await;
        }
    }
}

#[tokio::test]
async fn another_tenants_deliveries_are_not_there() {
    let api = Api::behind_keys(ApiSettings::default()).await;
    let ann = client(&api, 1, "ann", &[Scope::WebhooksManage]).await;
    let bob = client(&api, 2, "bob", &[Scope::Admin]).await;
    let made: Value = ann.post(ENDPOINTS, &json!({ "url": URL })).await.json().await.unwrap();
    let anns: EndpointId = made["id"].as_str().unwrap().parse().unwrap();
    api.deliveries.put(delivery(anns, 1, Dead), vec![answered(1, 500, b"secret")]);

    let one = format!("/v1/deliveries/{}", id(anns, 1));
    for (method, path) in [
        (Method::GET, one.clone()),
        (Method::POST, format!("{one}/redeliver")),
        (Method::GET, format!("{}/deliveries", path(anns))),
        (Method::POST, format!("{}/redeliver?since=2020-01-01T00:00:00Z", path(anns))),
        (Method::POST, format!("{}/ping", path(anns))),
    ] {
        let response = bob.request(method.clone(), &path).send().await.unwrap();
        let kind =
            if path.contains("/v1/deliveries") { "delivery_unknown" } else { "webhook_endpoint_unknown" };
        let refused = problem(response, 404, kind).await;
        // No different from what was never there.
        let elsewhere = path.replace(&anns.to_string()[4..], "00000000000000000000000000");
        let nothing = problem(bob.request(method, &elsewhere).send().await.unwrap(), 404, kind).await;
        assert_eq!(refused["title"], nothing["title"]);
    }
    let shown = ann.json(&one).await;
    assert_eq!(shown["status"], "dead");
    assert!(api.deliveries.pinged.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_nothing_is_delivered_it_is_said_what_to_set() {
    let api = Api::start().await;
    let ours = endpoint_with(&api, &[Dead]).await;
    let app = App::new(AppParts { delivering: None, ..AppParts::clone(&api.app) });
    let api = api.serving(app).await;
    for (method, path) in [
        (Method::GET, format!("{}/deliveries", path(ours))),
        (Method::POST, format!("{}/redeliver?since=2020-01-01T00:00:00Z", path(ours))),
        (Method::POST, format!("{}/ping", path(ours))),
        (Method::GET, format!("/v1/deliveries/{}", id(ours, 1))),
    ] {
        let response = api.request(method, &path).send().await.unwrap();
        let refused = problem(response, 503, "webhooks_not_configured").await;
        assert!(refused["detail"].as_str().unwrap().contains("BUILDWRIGHT_SECRET_KEY"), "{refused}");
    }
}
