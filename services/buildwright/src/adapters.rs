//! The edges that are too small for a crate: time and identity.

mod system;

pub(crate) use system::{SystemClock, UlidIds, random_key};
