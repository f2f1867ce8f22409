//! Who does the work.

pub(crate) mod list;
