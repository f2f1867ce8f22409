//! Webhook endpoints. What they have in common: whose they are, how they are shown, what a change is refused for.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod deliveries;
pub(crate) mod disable;
pub(crate) mod enable;
pub(crate) mod list;
pub(crate) mod ping;
pub(crate) mod redeliver;
pub(crate) mod rotate_secret;
pub(crate) mod show;
pub(crate) mod update;

use crate::{
    App,
    auth::Caller,
    errors::{Fault, api_errors},
    once::answer::ShownOnce,
    read::{UNCONFIGURED, etag},
    wire::WebhookEndpoint,
};
use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use domain::endpoint::{EndpointState, Signatures};
use endpoints::{ChangeError, Endpoints, Loaded, Rotated, VaultError};
use http::{HeaderValue, StatusCode, header, request::Parts};
use std::sync::Arc;

/// The webhook endpoints, and who asks.
pub(crate) struct Managing {
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) who: ports::Principal,
}

api_errors! {
    /// Nobody can have webhooks here.
    pub(crate) enum ManagingError {
        SERVICE_UNAVAILABLE "webhooks_not_configured": Unconfigured(detail: String) => "there are no webhooks here",
    }
}

impl FromRequestParts<App> for Managing {
    type Rejection = ManagingError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ManagingError> {
        let who = Caller::of(parts)?.clone();
        let endpoints = app.endpoints.clone();
        let endpoints = endpoints.ok_or_else(|| ManagingError::Unconfigured(UNCONFIGURED.to_owned()))?;
        Ok(Self { endpoints, who })
    }
}

api_errors! {
    /// What a change of a webhook endpoint can be refused for.
    pub(crate) enum ChangeRefused {
        NOT_FOUND "webhook_endpoint_unknown": Unknown => "there is no such webhook endpoint",
        CONFLICT "too_many_secrets": TooManySecrets(detail: String) => "there may be no further secret at the moment",
        PRECONDITION_FAILED "version_outdated": Outdated =>
            "the webhook endpoint is at another version than If-Match says",
        SERVICE_UNAVAILABLE "webhook_endpoint_contended": Contended =>
            "the webhook endpoint is being changed by others, try again",
    }
}

impl From<ChangeError> for ChangeRefused {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unknown => Self::Unknown,
            ChangeError::Outdated => Self::Outdated,
            ChangeError::Contended => Self::Contended,
            ChangeError::TooManySecrets(most) => Self::TooManySecrets(format!(
                "{most} secrets are valid at the same time; wait until the time of an old one is over"
            )),
            ChangeError::Rejected(_) => Self::Fault(Fault::internal(error)),
            ChangeError::Vault(error) => Self::Fault(error.into()),
        }
    }
}

impl From<VaultError> for Fault {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

/// An endpoint as it is after a change, or as somebody looks at it.
pub(super) async fn shown(endpoints: &Endpoints, loaded: Loaded) -> Result<Response, Fault> {
    let (version, view) = view(endpoints, loaded).await?;
    Ok(([(header::ETAG, etag(version))], Json(view)).into_response())
}

/// The same with its secret, which nobody is shown again.
pub(super) async fn shown_once(
    endpoints: &Endpoints,
    rotated: Rotated,
    status: StatusCode,
) -> Result<Response, Fault> {
    let Rotated { loaded, secret } = rotated;
    let (version, view) = view(endpoints, loaded).await?;
    let view = view.with_secret(secret.reveal().to_string());
    let headers =
        [(header::ETAG, etag(version)), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let mut response = (status, headers, Json(view)).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

async fn view(endpoints: &Endpoints, loaded: Loaded) -> Result<(ports::Version, WebhookEndpoint), Fault> {
    let has_key = loaded.endpoint.spec.signatures == Signatures::HmacAndEd25519
        && loaded.endpoint.state != EndpointState::Deleted;
    let public_key = if has_key {
        let (_, contents) = endpoints.vault().open(loaded.id).await?;
        contents.public_key().map(|key| key.to_string())
    } else {
        None
    };
    Ok((loaded.version, WebhookEndpoint::of(loaded).verified_with(public_key)))
}
