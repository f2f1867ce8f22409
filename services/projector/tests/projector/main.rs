//! What this crate promises, over a real store in which things go wrong.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scene that fails fails its story")]

mod history;
mod scene;
mod store;

mod endpoints;
mod following;
mod rows;
