//! For tests only: suites that every adapter of a port passes, and real servers to run them against.
//!
//! | module | what |
//! |---|---|
//! | [`stores`] | what an event store with read models promises, one function a promise |
//! | [`bus`] | the stories that every bus passes, told once |
//! | [`postgres`] | a PostgreSQL server of one's own |
//! | [`nats`] | a nats-server with JetStream, and what may befall it |
//! | [`SmallDisk`] | a disk that is soon full |
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

pub mod bus;
pub mod nats;
pub mod postgres;
mod small_disk;
pub mod stores;

pub use small_disk::SmallDisk;
