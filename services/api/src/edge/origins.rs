//! Which web pages may use this server. Browsers send requests of any page to any address they can reach, that of
//! this machine included; only what they say about the page tells its requests from its owner's.

use crate::{OriginSettings, once::IDEMPOTENCY_KEY};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use connections::Local;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use problem::Problem;
use std::{net::IpAddr, sync::Arc};

/// What a page may read of an answer.
const EXPOSED: &str = "etag, idempotency-replayed, link, location, ratelimit, ratelimit-policy, retry-after, \
    traceparent, x-request-id, x-truncated";
/// What it may send along.
const ACCEPTED: [HeaderName; 10] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    IDEMPOTENCY_KEY,
    HeaderName::from_static("last-event-id"),
    super::trace::TRACEPARENT,
    super::REQUEST_ID,
    HeaderName::from_static("x-api-key"),
];
/// So many seconds a browser may remember what it was told.
const REMEMBERED: &str = "3600";

/// Refuses what comes from a page that has no business here, and tells the browser of one that has.
pub(crate) async fn guard(
    State(settings): State<Arc<OriginSettings>>,
    request: Request,
    next: Next,
) -> Response {
    let host = host(&request);
    if !is_ours(host.as_deref(), &request, &settings) {
        let title = "this server does not answer under this Host";
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", title).into_response();
    }
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else { return next.run(request).await };
    let allowed = settings.allows(&origin);
    let same = host.is_some_and(|host| authority(&origin) == Some(&host));
    if !allowed && !same && changes(&request) {
        let title = "pages of this Origin may not change anything here";
        return Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", title).into_response();
    }
    if !allowed {
        return next.run(request).await;
    }
    let mut response = if is_preflight(&request) { preflight() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}

/// Under which name the client looks for this server. Whoever gives several gives none.
fn host(request: &Request) -> Option<String> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.as_str().to_ascii_lowercase());
    }
    let mut given = request.headers().get_all(header::HOST).iter();
    let host = given.next()?.to_str().ok()?.to_ascii_lowercase();
    given.next().is_none().then_some(host)
}

/// Whether that is a name of ours. A listener that only this machine reaches has names of this machine; a page
/// whose own name was made to lead there gives that name. Elsewhere it is asked for only if names were set.
fn is_ours(host: Option<&str>, request: &Request, settings: &OriginSettings) -> bool {
    let local =
        request.extensions().get::<Local>().is_some_and(|Local(at)| at.ip().to_canonical().is_loopback());
    if !local && settings.allowed_hosts.is_empty() {
        return true;
    }
    let Some(name) = host.map(without_port) else { return false };
    let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let of_this_machine = name == "localhost" || literal.is_ok_and(|ip| ip.to_canonical().is_loopback());
    (local && of_this_machine)
        || settings.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// `http://localhost:8420` is a page of `localhost:8420`.
fn authority(origin: &HeaderValue) -> Option<&str> {
    origin.to_str().ok()?.split_once("://").map(|(_, authority)| authority)
}

fn changes(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    !reads || request.headers().contains_key(header::UPGRADE)
}

fn is_preflight(request: &Request) -> bool {
    *request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers: &mut HeaderMap = response.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Ok(accepted) = HeaderValue::try_from(ACCEPTED.map(|name| name.to_string()).join(", ")) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, accepted);
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED));
    for asked in ["access-control-request-method", "access-control-request-headers"] {
        headers.append(header::VARY, HeaderValue::from_static(asked));
    }
    response
}
