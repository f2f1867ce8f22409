//! The endpoints, one a file.

pub(crate) mod builds;
pub(crate) mod deliveries;
pub(crate) mod events;
pub(crate) mod executors;
pub(crate) mod health;
pub(crate) mod tasks;
pub(crate) mod webhook_endpoints;

/// Who causes what is asked for without a key.
pub(crate) const ACTOR: &str = "local";
