use crate::{
    App,
    read::{EndpointPath, EndpointPathError, UNCONFIGURED},
    wire::PingView,
};
use axum::{Json, extract::State};

/// Ping a webhook endpoint
///
/// Sends a message of the type `ping`, signed as others are, and answers what became of it. It is sent once, also to
/// an endpoint that is disabled.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/ping", operation_id = "pingWebhookEndpoint", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
    responses((status = 200, description = "What became of it", body = PingView), EndpointPathError))]
#[tracing::instrument(name = "api.webhook_endpoints.ping", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn ping(
    State(app): State<App>,
    EndpointPath(loaded): EndpointPath,
) -> Result<Json<PingView>, EndpointPathError> {
    let unconfigured = || EndpointPathError::Unconfigured(UNCONFIGURED.to_owned());
    let delivering = app.delivering.as_ref().ok_or_else(unconfigured)?;
    Ok(Json(delivering.pings.ping(loaded.id, loaded.version, &loaded.endpoint.spec).await?.into()))
}
