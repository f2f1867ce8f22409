//! For those who operate the process.

pub(crate) mod document;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod ready;
