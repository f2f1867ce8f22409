use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// The process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    #[schema(max_length = 8, example = "ok")]
    status: &'static str,
}

/// Ask whether the process is alive
///
/// Says nothing of what it depends on: see `/readyz`.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "operation",
    responses((status = 200, description = "It is", body = Health)))]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}
