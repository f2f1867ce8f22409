use super::{ChangeRefused, Managing};
use crate::read::{EndpointPath, EndpointPathError, IfMatch, ParamsError};
use http::StatusCode;

/// Delete a webhook endpoint
///
/// Nothing is delivered to it any more, not even what failed before. Its secrets are forgotten.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{id}", operation_id = "deleteWebhookEndpoint", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("If-Match" = Option<String>, Header, description = "The entity tag of the version that is to be changed",
            max_length = 8192, example = "\"7\""),
    ),
    responses(
        (status = 204, description = "Deleted"),
        EndpointPathError, ParamsError, ChangeRefused,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.delete", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn delete(
    EndpointPath(loaded): EndpointPath,
    Managing { endpoints, who }: Managing,
    IfMatch(expected): IfMatch,
) -> Result<StatusCode, ChangeRefused> {
    endpoints.delete(loaded.id, who.actor, &expected).await?;
    Ok(StatusCode::NO_CONTENT)
}
