//! What this crate promises: the loop with a worker of the stories' own, and the workshop with real git, real
//! commands and an agent that follows a script.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a scene that fails fails its story"
)]

mod artifacts;
mod crew;
mod kept;
mod orders;
mod scene;

mod ending;
mod fleet;
mod leases;
mod merging;
mod output;
mod planning;
mod presence;
mod slots;
mod spool;
mod spool_files;
mod stopping;
mod tasks;
mod trouble;
