//! Builds.

pub(crate) mod archive;
pub(crate) mod cancel;
pub(crate) mod diff;
pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod finished;
pub(crate) mod list;
pub(crate) mod plan;
pub(crate) mod plan_output;
pub(crate) mod show;
pub(crate) mod submit;
pub(crate) mod tasks;
