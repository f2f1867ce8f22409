//! What holds for every request.

pub(crate) mod freshness;
pub(crate) mod methods;
pub(crate) mod origins;
pub(crate) mod trace;

use crate::{ApiSettings, App};
use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use problem::{MEDIA_TYPE, Problem};
use std::{any::Any, time::Duration};
use tokio::time::Instant;
use tower_http::request_id::{MakeRequestId, MakeRequestUuid, RequestId};
use vitals::HttpRequests;

/// The header that names a request in logs, ours and the client's.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id, or keeps the client's if it can stand in a log, and tells it in the answer.
pub(crate) async fn identify(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).filter(|id| is_request_id(id)).cloned();
    let id = given.or_else(|| MakeRequestUuid.make_request_id(&request).map(RequestId::into_header_value));
    let Some(id) = id else { return next.run(request).await };
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn is_request_id(id: &HeaderValue) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(b);
    (1..=128).contains(&id.len()) && id.as_bytes().iter().all(plain)
}

/// The span of a request.
pub(crate) fn span(request: &http::Request<Body>) -> tracing::Span {
    let id = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let trace = request.extensions().get::<trace::Trace>();
    tracing::info_span!(
        "http",
        method = %request.method(),
        path = request.uri().path(),
        request.id = id,
        trace.id = trace.map(|trace| trace.id.as_str()),
        trace.span = trace.map(|trace| trace.span.as_str()),
        trace.parent = trace.and_then(|trace| trace.parent.as_deref()),
    )
}

/// Ends a request whose answer does not begin in time. Streams begin at once and may then take as they like.
pub(crate) async fn limit_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = time_limit(&app.settings, &request);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(limit_seconds = limit.as_secs(), "no answer in time");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", "no answer in time, try again")
                .into_response()
        }
    }
}

/// Only who sends a body gets time for it, and only who asks to wait may wait.
fn time_limit(settings: &ApiSettings, request: &Request) -> Duration {
    let mut limit = settings.answer_timeout;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        limit += settings.body_timeout;
    }
    if request.uri().query().is_some_and(|query| query.contains("wait=")) {
        limit += settings.max_wait;
    }
    limit
}

/// Tells every client whose request may work later when to try again.
pub(crate) async fn tell_when_to_retry(State(app): State<App>, mut response: Response) -> Response {
    problem::tell_when_to_retry(&mut response, app.settings.retry_after);
    response
}

/// Counts a request under the pattern that its path fitted.
pub(crate) async fn count(
    State(requests): State<HttpRequests>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let (method, began) = (request.method().clone(), Instant::now());
    let response = next.run(request).await;
    requests.answered(route.as_ref().map(MatchedPath::as_str), &method, response.status(), began.elapsed());
    response
}

/// The answer to a request whose handler panicked. The panic hook has logged it.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "an internal error").into_response()
}

/// Phrases the errors that nobody phrased, of the router and of layers, as problem documents. Their headers,
/// such as `Allow`, stay.
pub(crate) async fn phrase_errors(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let phrased = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if !is_error || phrased {
        return response;
    }
    let (code, title) = match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this path does not have this method; see the Allow header")
        }
        other => ("refused", other.canonical_reason().unwrap_or("the request was refused")),
    };
    let (mut parts, body) = Problem::new(status, code, title).into_response().into_parts();
    for (name, value) in response.headers() {
        if ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name) {
            parts.headers.append(name, value.clone());
        }
    }
    Response::from_parts(parts, body)
}
