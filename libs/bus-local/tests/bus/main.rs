//! What the parts promise, told as stories.
#![expect(clippy::expect_used, reason = "a story that cannot go on must stop")]

mod artifacts;
mod conformance;
mod outcomes;
mod output;
mod queue;
