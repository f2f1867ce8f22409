//! What this crate promises: machines with folders of their own, and one store between them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a scene that fails fails its story")]

mod scene;

mod heads;
mod results;
mod travelling;
