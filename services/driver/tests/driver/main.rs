//! What this crate promises, with executors played by the stories.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scene that fails fails its story")]

mod builds;
mod bus;
mod hands;
mod scene;
mod store;
mod throne;

mod driving;
mod queueing;
mod recovery;
mod replicas;
mod sharing;
mod sweeping;
mod time;
mod trouble;
