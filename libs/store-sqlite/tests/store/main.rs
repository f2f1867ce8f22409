//! What the store promises, told as stories.
#![expect(clippy::expect_used, clippy::panic, reason = "a story that cannot go on must stop")]

mod appending;
mod following;
mod full_disk;
mod read_models;
mod scene;
mod sudden_death;
