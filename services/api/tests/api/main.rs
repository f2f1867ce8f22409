//! The real router over a real socket, with stores in memory.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

mod builds;
mod document;
mod edge;
mod executors;
mod figures;
mod follow;
mod keys;
mod list;
mod outages;
mod results;
mod submit;
mod support;
