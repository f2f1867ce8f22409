//! The courier against real receivers, over a real store.

#![expect(clippy::expect_used, reason = "a scene that fails fails its story")]

mod counted;
mod delivering;
mod failing;
mod killed;
mod leaving;
mod one_build;
mod receiver;
mod redelivering;
mod scene;
