//! Tasks.

pub(crate) mod output;
pub(crate) mod show;
