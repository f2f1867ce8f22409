//! How much each may ask for.

use crate::support::{Api, problem};
use axum::body::Body;
use buildwright_api::{ApiSettings, RateSettings};
use names::Scope;
use ports::{KeyLimits, Principal};
use std::num::NonZeroU32;
use tower::ServiceExt as _;

async fn allowing(requests: u32) -> Api {
    let rate = RateSettings { requests_per_minute: NonZeroU32::new(requests), ..RateSettings::default() };
    Api::with(ApiSettings { rate, ..ApiSettings::default() }).await
}

#[tokio::test]
async fn every_answer_tells_what_is_allowed_and_what_is_left() {
    let api = allowing(100).await;
    for (path, left) in [("/v1/builds", 99), ("/v1/nothing", 98), ("/v1/builds?limit=0", 97)] {
        let response = api.get(path).await;
        assert_eq!(response.headers()["ratelimit-policy"], "\"requests\";q=100;w=60;pk=:bG9jYWw=:");
        let told = response.headers()["ratelimit"].to_str().unwrap();
        // A slow machine has a token back by now.
        assert!(told.starts_with(&format!("\"requests\";r={left};t=")) || told.contains("r=9"), "{told}");
    }
    assert!(!api.get("/healthz").await.headers().contains_key("ratelimit"));
}

#[tokio::test]
async fn who_asks_too_much_hears_when_to_come_again() {
    let api = allowing(2).await;
    assert_eq!(api.get("/v1/builds").await.status(), 200);
    assert_eq!(api.get("/v1/builds").await.status(), 200);

    let response = api.get("/v1/builds").await;

    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(response.headers()["ratelimit"].to_str().unwrap().starts_with("\"requests\";r=0;t="));
    problem(response, 429, "too_many_requests").await;
    assert_eq!(api.get("/healthz").await.status(), 200, "for those who operate it there is no limit");
}

#[tokio::test]
async fn a_key_has_a_bucket_and_a_limit_of_its_own() {
    let api = allowing(1).await;
    let router = buildwright_api::router(api.app.clone());
    let ask = async |actor: &str, limit: Option<u32>| {
        let mut request = http::Request::get("/v1/builds").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Principal {
            actor: actor.into(),
            tenant: names::TenantName::default(),
            scopes: [Scope::Admin].into_iter().collect(),
            key: None,
            limits: KeyLimits { requests_per_minute: limit.and_then(NonZeroU32::new), open_builds: None },
        });
        router.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(ask("a", None).await, 200);
    assert_eq!(ask("a", None).await, 429);
    assert_eq!(ask("b", Some(2)).await, 200);
    assert_eq!(ask("b", Some(2)).await, 200);
    assert_eq!(ask("b", Some(2)).await, 429);
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let api = allowing(0).await;
    for _ in 0..10 {
        let response = api.get("/v1/builds").await;
        assert_eq!(response.status(), 200);
        assert!(!response.headers().contains_key("ratelimit"));
    }
}
