//! Who asks: the one place that says so.

use crate::App;
use axum::extract::FromRequestParts;
use http::{Extensions, request::Parts};
use names::{Scope, TenantName};
use ports::{KeyLimits, Principal};
use std::convert::Infallible;

/// Who asks, for handlers.
pub(crate) struct Caller(pub(crate) Principal);

impl FromRequestParts<App> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(of(&parts.extensions)))
    }
}

/// Who sent a request: whom its key names, or else the owner of the machine.
pub(crate) fn of(extensions: &Extensions) -> Principal {
    extensions.get::<Principal>().cloned().unwrap_or_else(local)
}

fn local() -> Principal {
    Principal {
        actor: crate::routes::ACTOR.into(),
        tenant: TenantName::default(),
        scopes: [Scope::Admin].into_iter().collect(),
        key: None,
        limits: KeyLimits::default(),
    }
}
