//! What the commands do.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod carry;
pub(crate) mod keys;
pub(crate) mod logs;
pub(crate) mod look;
pub(crate) mod order;
pub(crate) mod role;
pub(crate) mod scripted_model;
pub(crate) mod up;

/// What was written on the command line cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// JSON for people with tools.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}
