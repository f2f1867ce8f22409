use super::{ChangeRefused, Managing, shown};
use crate::{
    App,
    read::{EndpointPath, EndpointPathError, IfMatch},
    wire::WebhookEndpoint,
};
use axum::{extract::State, response::Response};
use domain::endpoint::Command;

/// Enable a webhook endpoint
///
/// It is told of what happens from now on; what happened while it was disabled is in `GET /v1/events`. Enabling what
/// is enabled changes nothing.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/enable", operation_id = "enableWebhookEndpoint",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("If-Match" = Option<String>, Header, description = "The entity tag of the version that is to be changed",
            max_length = 8192, example = "\"7\""),
    ),
    responses(
        (status = 200, description = "The endpoint as it is now", body = WebhookEndpoint,
            headers(("etag" = String, description = "Its version"))),
        EndpointPathError, ChangeRefused,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.enable", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn enable(
    State(app): State<App>,
    EndpointPath(loaded): EndpointPath,
    Managing { endpoints, who }: Managing,
    IfMatch(expected): IfMatch,
) -> Result<Response, ChangeRefused> {
    let (from, at) = (app.store.head().borrow().0, app.clock.now());
    let command = Command::Enable { from, at };
    let changed = endpoints.execute(loaded.id, who.actor, &expected, |_| Ok(command.clone())).await?;
    Ok(shown(&endpoints, changed).await?)
}
