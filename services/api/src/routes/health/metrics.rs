use crate::App;
use axum::{extract::State, response::Response};

/// Get the figures of the process
///
/// In the text format that Prometheus reads.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", tag = "operation",
    responses((status = 200, description = "The figures", body = String,
        content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    app.metrics.answer().await
}
