//! What the store promises, told as stories.
#![expect(clippy::expect_used, reason = "a story that cannot go on must stop")]

mod appending;
mod conformance;
mod following;
mod full_disk;
mod scene;
mod sudden_death;
