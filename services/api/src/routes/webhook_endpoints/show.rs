use super::{Managing, shown};
use crate::{
    errors::api_errors,
    read::{EndpointPath, EndpointPathError, ParamsError, Query, etag, is_current},
    wire::WebhookEndpoint,
};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};

/// Get a webhook endpoint
///
/// As it is now, without its secret and without the values of its headers.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}", operation_id = "getWebhookEndpoint", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("If-None-Match" = Option<String>, Header, max_length = 8192, description = "The entity tag of what is known already"),
    ),
    responses(
        (status = 200, description = "The endpoint", body = WebhookEndpoint,
            headers(("etag" = String, description = "Its version"))),
        (status = 304, description = "It is as `If-None-Match` says"),
        EndpointPathError, ParamsError, ShowError,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.show", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn show(
    EndpointPath(loaded): EndpointPath,
    Managing { endpoints, .. }: Managing,
    Query(()): Query<()>,
    headers: HeaderMap,
) -> Result<Response, ShowError> {
    if is_current(&headers, loaded.version) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag(loaded.version))]).into_response());
    }
    Ok(shown(&endpoints, loaded).await?)
}

api_errors! {
    /// What looking at a webhook endpoint can be refused for, the path apart.
    pub(crate) enum ShowError {}
}
