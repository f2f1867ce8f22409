//! How much each may ask for.

use crate::support::{Api, Client, client, key, problem};
use buildwright_api::{ApiSettings, RateSettings};
use names::{KeyId, Scope};
use ports::KeyLimits;
use std::num::NonZeroU32;
use ulid::Ulid;

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
    let two = KeyLimits { requests_per_minute: NonZeroU32::new(2), open_builds: None };
    let a = client(&api, 1, "one", &[Scope::Admin]).await;
    let b = key(&api, 2, "one", &[Scope::Admin], |key| key.limits = two).await;
    let b = Client { api: &api, key: b.expose().to_owned(), id: KeyId::new(Ulid(2)) };
    assert_eq!(a.get("/v1/builds").await.status(), 200);
    assert_eq!(a.get("/v1/builds").await.status(), 429);
    for _ in 0..2 {
        let answer = b.get("/v1/builds").await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["ratelimit-policy"].to_str().unwrap().starts_with("\"requests\";q=2;"));
    }
    assert_eq!(b.get("/v1/builds").await.status(), 429);
    assert_eq!(api.get("/v1/builds").await.status(), 200, "nor is it that of who has none");
}

#[tokio::test]
async fn who_is_refused_takes_nothing_from_anybody() {
    let api = Api::behind_keys(ApiSettings {
        rate: RateSettings { requests_per_minute: NonZeroU32::new(1), ..RateSettings::default() },
        ..ApiSettings::default()
    });
    let api = api.await;
    for _ in 0..3 {
        let refused = api.get("/v1/builds").await;
        assert!(!refused.headers().contains_key("ratelimit"));
        problem(refused, 401, "key_missing").await;
    }
    let a = client(&api, 1, "one", &[Scope::Admin]).await;
    assert_eq!(a.get("/v1/builds").await.status(), 200);
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
