//! The endpoints, one a file.

pub(crate) mod builds;
pub(crate) mod events;
pub(crate) mod executors;
pub(crate) mod health;
pub(crate) mod tasks;

/// Who causes what is asked for here, until there are accounts.
pub(crate) const ACTOR: &str = "local";
