//! For tests only: suites that every adapter of a port passes, and real servers to run them against.
//!
//! | module | what |
//! |---|---|
//! | [`stores`] | what an event store with read models promises, one function a promise |
//! | [`postgres`] | a PostgreSQL server of one's own |
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

pub mod postgres;
pub mod stores;
