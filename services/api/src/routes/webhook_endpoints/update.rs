use super::{ChangeRefused, Managing, shown};
use crate::{
    read::{Body, BodyError, EndpointPath, EndpointPathError, IfMatch},
    subscription::EndpointUpdate,
    wire::{UpdateWebhookEndpoint, WebhookEndpoint},
};
use axum::response::Response;

/// Change a webhook endpoint
///
/// What the request does not say stays as it is.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{id}", operation_id = "updateWebhookEndpoint", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("If-Match" = Option<String>, Header, description = "The entity tag of the version that is to be changed",
            max_length = 8192, example = "\"7\""),
    ),
    request_body = UpdateWebhookEndpoint,
    responses(
        (status = 200, description = "The endpoint as it is now", body = WebhookEndpoint,
            headers(("etag" = String, description = "Its version"))),
        BodyError, EndpointPathError, ChangeRefused,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.update", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn update(
    EndpointPath(loaded): EndpointPath,
    Managing { endpoints, who }: Managing,
    IfMatch(expected): IfMatch,
    Body(wanted): Body<EndpointUpdate>,
) -> Result<Response, ChangeRefused> {
    let changed = endpoints.update(loaded.id, who.actor, &expected, |spec| wanted.of(spec)).await?;
    Ok(shown(&endpoints, changed).await?)
}
