use crate::App;
use crate::auth::no_figures;
use axum::{Extension, extract::State, response::Response};
use ports::Principal;

/// Get the figures of the process
///
/// In the text format that Prometheus reads. Beyond the machine itself they are for administrators.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", tag = "operation",
    responses((status = 200, description = "The figures", body = String,
        content_type = "application/openmetrics-text")))]
pub(crate) async fn metrics(State(app): State<App>, who: Option<Extension<Principal>>) -> Response {
    if let Some(refused) = no_figures(&app, who.as_deref()) {
        return refused;
    }
    app.metrics.answer().await
}
