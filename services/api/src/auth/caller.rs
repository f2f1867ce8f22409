use crate::errors::{Fault, api_errors};
use axum::extract::FromRequestParts;
use http::request::Parts;
use ports::Principal;

/// Who asks.
pub(crate) struct Caller(pub(crate) Principal);

api_errors! {
    /// Nobody was let in, and yet a handler is asked: a defect.
    pub(crate) enum NobodyError {}
}

impl Caller {
    /// Whom the gate let in.
    pub(crate) fn of(parts: &Parts) -> Result<&Principal, Fault> {
        parts.extensions.get::<Principal>().ok_or_else(|| Fault::internal("a request without a principal"))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = NobodyError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NobodyError> {
        Ok(Self(Self::of(parts)?.clone()))
    }
}
