//! Single deliveries. Whose they are, their endpoint says.

pub(crate) mod redeliver;
pub(crate) mod show;

use crate::{App, Delivering, auth::Caller, errors::api_errors, read::UNCONFIGURED};
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use ports::DeliveryId;

/// The delivery named by the path, and where it is kept.
pub(crate) struct DeliveryPath {
    pub(super) id: DeliveryId,
    pub(super) delivering: Delivering,
}

api_errors! {
    /// The path names no delivery.
    pub(crate) enum DeliveryPathError {
        NOT_FOUND "delivery_unknown": Unknown => "there is no such delivery",
        SERVICE_UNAVAILABLE "webhooks_not_configured": Unconfigured(detail: String) => "there are no webhooks here",
    }
}

impl FromRequestParts<App> for DeliveryPath {
    type Rejection = DeliveryPathError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, DeliveryPathError> {
        let unconfigured = || DeliveryPathError::Unconfigured(UNCONFIGURED.to_owned());
        let endpoints = app.endpoints.as_ref().ok_or_else(unconfigured)?;
        let delivering = app.delivering.clone().ok_or_else(unconfigured)?;
        let text = Path::<String>::from_request_parts(parts, app).await.ok();
        let id: DeliveryId = text.and_then(|text| text.parse().ok()).ok_or(DeliveryPathError::Unknown)?;
        let who = Caller::of(parts)?;
        let theirs =
            endpoints.load(id.endpoint).await?.is_some_and(|loaded| loaded.endpoint.tenant == who.tenant);
        if theirs { Ok(Self { id, delivering }) } else { Err(DeliveryPathError::Unknown) }
    }
}
