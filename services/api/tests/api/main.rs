//! The real router over a real socket, with stores in memory.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

mod builds;
mod contract;
mod deliveries;
mod document;
mod edge;
mod executors;
mod figures;
mod follow;
mod follow_many;
mod hostile;
mod keys;
mod list;
mod methods;
mod once;
mod outages;
mod pages;
mod rate;
mod results;
mod sockets;
mod submit;
mod support;
mod tags;
mod webhook_endpoints;
