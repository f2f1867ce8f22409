//! What the store promises, told as stories.
#![expect(clippy::expect_used, clippy::panic, reason = "a story that cannot go on must stop")]

mod conformance;
mod crowd;
mod leaders;
mod lost_answers;
mod many_writers;
mod outages;
mod projectors;
mod proxy;
mod scene;
mod several_processes;
