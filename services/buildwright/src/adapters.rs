//! The edges that are too small for a crate: time, chance and identity.

mod system;

pub(crate) use system::{SystemChance, SystemClock, UlidIds, random_key};
