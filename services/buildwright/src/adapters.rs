//! The edges that are too small for a crate: time, identity, and reading results out of git.

mod results;
mod system;

pub(crate) use results::GitResults;
pub(crate) use system::{SystemClock, UlidIds};
