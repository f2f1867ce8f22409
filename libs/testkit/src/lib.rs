//! What every adapter of a port must hold to, and real servers to try it on.
//!
//! | module | what |
//! |---|---|
//! | [`bus`] | the stories that every bus passes, told once |
//! | [`nats`] | a nats-server with JetStream, and what may befall it |
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up must stop")]

pub mod bus;
pub mod nats;
