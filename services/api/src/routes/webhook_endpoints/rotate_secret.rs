use super::{ChangeRefused, Managing, shown_once};
use crate::{
    App,
    read::{BodyError, EndpointPath, EndpointPathError, IfMatch, OptionalBody},
    subscription::Rotation,
    wire::{RotateSecret, WebhookEndpoint},
};
use axum::{extract::State, response::Response};
use chrono::TimeDelta;
use http::StatusCode;

/// Rotate the secret of a webhook endpoint
///
/// Messages are signed with the new secret from now on, and for a while with those before as well. The new one is in
/// this answer and in no other.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/rotate-secret", operation_id = "rotateWebhookSecret",
    tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("If-Match" = Option<String>, Header, description = "The entity tag of the version that is to be changed",
            max_length = 8192, example = "\"7\""),
    ),
    request_body = Option<RotateSecret>,
    responses(
        (status = 200, description = "The endpoint, with its new secret", body = WebhookEndpoint,
            headers(("etag" = String, description = "Its version"))),
        BodyError, EndpointPathError, ChangeRefused,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.rotate_secret", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn rotate_secret(
    State(app): State<App>,
    EndpointPath(loaded): EndpointPath,
    Managing { endpoints, who }: Managing,
    IfMatch(expected): IfMatch,
    OptionalBody(rotation): OptionalBody<Rotation>,
) -> Result<Response, ChangeRefused> {
    let Rotation { secret, grace } = rotation.unwrap_or_default();
    let grace =
        TimeDelta::from_std(grace.unwrap_or(app.settings.webhooks.rotation_grace)).unwrap_or_default();
    let old_valid_until = app.clock.now() + grace;
    let rotated = endpoints.rotate(loaded.id, who.actor, &expected, secret, old_valid_until).await?;
    Ok(shown_once(&endpoints, rotated, StatusCode::OK).await?)
}
