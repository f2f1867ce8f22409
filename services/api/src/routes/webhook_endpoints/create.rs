use super::{ChangeRefused, Managing, ManagingError, shown_once};
use crate::{
    App,
    errors::api_errors,
    once::Reserved,
    read::{Body, BodyError, catch_up},
    subscription::NewEndpoint,
    wire::{CreateWebhookEndpoint, WebhookEndpoint},
};
use axum::{extract::State, response::Response};
use endpoints::ChangeError;
use http::{HeaderValue, StatusCode, header};

/// Create a webhook endpoint
///
/// It is told of what happens from now on. The secret is in this answer and in no other: who sends the same request
/// again under its `Idempotency-Key` is told that it was carried out.
#[utoipa::path(post, path = "/v1/webhook-endpoints", operation_id = "createWebhookEndpoint", tag = "webhooks",
    request_body = CreateWebhookEndpoint,
    responses(
        (status = 201, description = "Made, with its secret", body = WebhookEndpoint, headers(
            ("location" = String, description = "Where the endpoint is"),
            ("etag" = String, description = "Its version"),
        )),
        BodyError, ManagingError, CreateError,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.create", skip_all, fields(endpoint.id))]
pub(crate) async fn create(
    State(app): State<App>,
    Managing { endpoints, who }: Managing,
    reserved: Option<Reserved>,
    Body(wanted): Body<NewEndpoint>,
) -> Result<Response, CreateError> {
    let most = app.settings.webhooks.max_endpoints;
    catch_up(&app).await.map_err(|_| CreateError::Behind)?;
    let id = reserved.map_or_else(|| app.ids.endpoint(), Reserved::endpoint);
    let full = app.endpoint_list.count_endpoints(&who.tenant, most).await? >= most;
    // Whoever carried out the same request before may have made it, and died before the answer was kept.
    if full && endpoints.load(id).await?.is_none() {
        return Err(CreateError::TooMany(format!("there may be {most}")));
    }
    tracing::Span::current().record("endpoint.id", tracing::field::display(id));
    let (spec, given) = wanted.place(&app.settings.webhooks);
    let created = endpoints.create(id, who.actor, who.tenant, spec, given).await?;
    let mut response = shown_once(&endpoints, created, StatusCode::CREATED).await?;
    let location = HeaderValue::from_str(&format!("/v1/webhook-endpoints/{id}"));
    response.headers_mut().insert(header::LOCATION, location.map_err(crate::errors::Fault::internal)?);
    Ok(response)
}

api_errors! {
    /// What creating can be refused for, the body apart.
    pub(crate) enum CreateError {
        CONFLICT "too_many_webhook_endpoints": TooMany(detail: String) => "the tenant has as many webhook endpoints as it may",
        SERVICE_UNAVAILABLE "list_behind": Behind => "it cannot be said how many there are, try again",
        SERVICE_UNAVAILABLE "webhook_endpoint_contended": Contended =>
            "the webhook endpoint is being changed by others, try again",
    }
}

impl From<ChangeError> for CreateError {
    fn from(error: ChangeError) -> Self {
        match ChangeRefused::from(error) {
            ChangeRefused::Fault(fault) => Self::Fault(fault),
            // Nobody else knows the id but who carried out the same request.
            _ => Self::Contended,
        }
    }
}
