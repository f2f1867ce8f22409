use crate::{Metrics, NotReady, ReadyChecks};
use axum::{
    Json, Router,
    extract::State,
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use connections::Bounds;
use http::StatusCode;
use problem::Problem;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Probes come every few seconds: there is no use in asking to wait longer.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// For a few probes.
const BOUNDS: Bounds = Bounds {
    connections: 128,
    head_timeout: Duration::from_secs(10),
    stall_timeout: Duration::from_secs(10),
    drain: Duration::from_secs(3),
};

#[derive(Clone)]
struct Vitals {
    ready: ReadyChecks,
    metrics: Arc<Metrics>,
}

/// Answers `GET /healthz`, `GET /readyz` and `GET /metrics` until `stop` is cancelled: last of all, so that the
/// process is seen to live while it ends what it is at.
///
/// # Errors
/// If the listener fails.
pub async fn serve_health(
    listener: TcpListener,
    ready: ReadyChecks,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(is_ready))
        .route("/metrics", get(figures))
        .fallback(nothing)
        .method_not_allowed_fallback(only_get)
        .layer(middleware::map_response(tell_when_to_retry))
        .with_state(Vitals { ready, metrics });
    connections::serve(listener, router, BOUNDS, stop).await
}

async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

async fn is_ready(State(vitals): State<Vitals>) -> Response {
    let (code, title, detail) = match vitals.ready.check().await {
        Ok(()) => return Json(json!({ "status": "ready" })).into_response(),
        Err(NotReady::Stopping) => ("stopping", "the process is stopping", None),
        Err(parts @ NotReady::Parts(_)) => ("not_ready", "a part is not ready", Some(parts.to_string())),
    };
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, title);
    Problem { detail, ..problem }.into_response()
}

async fn figures(State(vitals): State<Vitals>) -> Response {
    vitals.metrics.answer().await
}

async fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

async fn only_get() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has GET only")
}

async fn tell_when_to_retry(mut response: Response) -> Response {
    problem::tell_when_to_retry(&mut response, RETRY_AFTER);
    response
}
