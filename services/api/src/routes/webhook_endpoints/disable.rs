use super::{ChangeRefused, Managing, shown};
use crate::{
    App,
    read::{EndpointPath, EndpointPathError, IfMatch},
    wire::WebhookEndpoint,
};
use axum::{extract::State, response::Response};
use domain::endpoint::{Command, DisabledReason};

/// Disable a webhook endpoint
///
/// Nothing is delivered until it is enabled. Disabling twice is no error.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/disable", operation_id = "disableWebhookEndpoint",
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
#[tracing::instrument(name = "api.webhook_endpoints.disable", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn disable(
    State(app): State<App>,
    EndpointPath(loaded): EndpointPath,
    Managing { endpoints, who }: Managing,
    IfMatch(expected): IfMatch,
) -> Result<Response, ChangeRefused> {
    let command = Command::Disable { reason: DisabledReason::ByClient, at: app.clock.now() };
    let changed = endpoints.execute(loaded.id, who.actor, &expected, |_| Ok(command.clone())).await?;
    Ok(shown(&endpoints, changed).await?)
}
