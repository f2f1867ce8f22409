//! Who asks: the one place that says so.

use http::Extensions;
use names::{Scope, TenantName};
use ports::{KeyLimits, Principal};

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
