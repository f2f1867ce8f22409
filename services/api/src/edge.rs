//! What holds for every request.

use crate::{
    App,
    problem::{MEDIA_TYPE, Problem},
};
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::any::Any;
use tower_http::request_id::{MakeRequestId, MakeRequestUuid, RequestId};

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
    tracing::info_span!("http", method = %request.method(), path = request.uri().path(), request.id = id)
}

/// Ends a request whose answer does not begin in time. Streams begin at once and may then take as they like.
pub(crate) async fn limit_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = app.settings.answer_timeout + app.settings.max_wait + app.settings.body_timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(limit_seconds = limit.as_secs(), "no answer in time");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", "no answer in time, try again")
                .into_response()
        }
    }
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
