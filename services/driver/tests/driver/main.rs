//! What this crate promises, with executors played by the stories.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scene that fails fails its story")]

mod builds;
mod hands;
mod scene;
mod store;

mod driving;
mod queueing;
mod recovery;
mod time;
mod trouble;
