//! For tests only: what every adapter of a port must hold to, and real servers to try it on.
//!
//! | module | what |
//! |---|---|
//! | [`stores`] | what an event store with read models promises, one function a promise |
//! | [`postgres`] | a PostgreSQL server of one's own |
//! | [`bus`] | the stories that every bus passes, told once |
//! | [`nats`] | a nats-server with JetStream, and what may befall it |
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

pub mod bus;
pub mod nats;
pub mod postgres;
pub mod stores;
