//! What this crate promises, with real git.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fixture that fails fails its test")]

mod fixture;

mod attempts;
mod bundles;
mod cost;
mod crashes;
mod hostile;
mod merging;
mod publishing;
mod reading;
mod sources;
