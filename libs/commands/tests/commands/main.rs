//! What this crate promises, over a real store in which things go wrong.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a scene that fails fails its story"
)]

mod scene;
mod store;

mod cache;
mod conflicts;
mod failures;
mod processes;
mod reading;
mod snapshots;
mod together;
