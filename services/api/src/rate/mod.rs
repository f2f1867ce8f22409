//! How much each principal may ask for. Every process counts for itself: behind a load balancer, a fleet of three
//! lets through up to three times as much.

mod buckets;

use crate::{ApiSettings, principal};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use buckets::{Buckets, Quota, Standing, Taken, WINDOW};
use connections::Peer;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use problem::Problem;
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// What is allowed.
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of it.
pub(crate) const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The buckets of this process.
#[derive(Clone)]
pub(crate) struct Limits {
    requests: Option<Quota>,
    failures: Option<Quota>,
    principals: Arc<Mutex<Buckets<Arc<str>>>>,
    peers: Arc<Mutex<Buckets<IpAddr>>>,
}

impl Limits {
    /// Full ones.
    pub(crate) fn new(settings: &ApiSettings) -> Self {
        let rate = &settings.rate;
        Self {
            requests: rate.requests_per_minute.map(|requests| Quota { requests }),
            failures: rate.failures_per_minute.map(|requests| Quota { requests }),
            principals: Arc::new(Mutex::new(Buckets::new(rate.most_buckets))),
            peers: Arc::new(Mutex::new(Buckets::new(rate.most_buckets))),
        }
    }
}

/// Lets a principal have as many answers as it may.
pub(crate) async fn limit(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    let who = principal::of(request.extensions());
    let own = who.limits.requests_per_minute.map(|requests| Quota { requests });
    let Some(quota) = own.or(limits.requests) else { return next.run(request).await };
    let name = who.key.map_or_else(|| Arc::clone(&who.actor), |key| key.to_string().into());
    let standing = {
        let mut buckets = limits.principals.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(Arc::clone(&name), quota, Instant::now())
    };
    let mut response = match standing.taken {
        Taken::One => next.run(request).await,
        Taken::None { next_in } => too_many("too many requests, try again later", next_in),
    };
    tell(response.headers_mut(), &name, quota, standing);
    response
}

/// Says no more than that to a peer whose requests fail to say who asks. Others behind the same address, whose
/// requests do say it, are not held up.
pub(crate) async fn limit_failures(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let response = next.run(request).await;
    let (Some(Peer(address)), Some(quota)) = (peer, limits.failures) else { return response };
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    let mut buckets = limits.peers.lock().unwrap_or_else(PoisonError::into_inner);
    match buckets.take(address.ip().to_canonical(), quota, Instant::now()).taken {
        Taken::One => response,
        Taken::None { next_in } => {
            too_many("too many requests without a valid key, try again later", next_in)
        }
    }
}

fn too_many(title: &str, next_in: Duration) -> Response {
    let mut response =
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", title).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(up(next_in)));
    response
}

/// As structured fields: the policy's quota, window and whose it is; what is left and when it will be all again.
fn tell(headers: &mut HeaderMap, name: &str, quota: Quota, standing: Standing) {
    let whose = BASE64_STANDARD.encode(name);
    let (requests, window) = (quota.requests, WINDOW.as_secs());
    let policy = format!("\"requests\";q={requests};w={window};pk=:{whose}:");
    let left = format!("\"requests\";r={};t={};pk=:{whose}:", standing.left, up(standing.full_in));
    for (header, text) in [(POLICY, policy), (LEFT, left)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(header, value);
        }
    }
}

/// Whole seconds, of which the last may not be over.
fn up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RateSettings;
    use axum::{Router, body::Body, middleware, routing::get};
    use std::num::NonZeroU32;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn who_keeps_failing_to_say_who_asks_hears_no_more_than_that() {
        let rate = RateSettings { failures_per_minute: NonZeroU32::new(2), ..RateSettings::default() };
        let limits = Limits::new(&ApiSettings { rate, ..ApiSettings::default() });
        let router = Router::new()
            .route("/known", get(async || StatusCode::OK))
            .route("/unknown", get(async || StatusCode::UNAUTHORIZED))
            .layer(middleware::from_fn_with_state(limits, limit_failures));
        let ask = async |path: &str, peer: &str| {
            let mut request = Request::get(path).body(Body::empty()).unwrap();
            request.extensions_mut().insert(Peer(peer.parse().unwrap()));
            router.clone().oneshot(request).await.unwrap()
        };
        for _ in 0..2 {
            assert_eq!(ask("/unknown", "192.0.2.1:1").await.status(), 401);
        }
        let refused = ask("/unknown", "[::ffff:192.0.2.1]:2").await;
        assert_eq!(refused.status(), 429, "the same address in other words");
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(ask("/known", "192.0.2.1:3").await.status(), 200, "others behind it are not held up");
        assert_eq!(ask("/unknown", "192.0.2.2:1").await.status(), 401);
    }
}
