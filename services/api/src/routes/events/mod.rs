//! The whole log.

pub(crate) mod list;
