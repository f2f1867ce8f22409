//! What the stories in `tests/` are told with: the binary, its HTTP interface, the processes it leaves, git.
//!
//! A [`Server`] is `buildwright up` in a directory of its own. When it goes out of scope it is told to stop, and
//! that nothing is left of it (no process, no workspace) is then part of every story.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, prints what it measured, and its surroundings are real"
)]

mod accounts;
mod answer;
mod binaries;
mod builds;
mod chance;
mod command_line;
mod events;
mod git;
mod launch;
mod model;
mod patience;
mod plan;
mod processes;
mod server;

pub use accounts::assert_accounts_agree;
pub use answer::Answer;
pub use binaries::{buildwright, claude};
pub use builds::Build;
pub use chance::Chance;
pub use command_line::{CommandLine, Ran};
pub use events::{Events, Sse, SseEvent};
pub use git::git;
pub use launch::{Hands, Launch};
pub use model::ScriptedModel;
pub use patience::{until, within};
pub use plan::{Plan, Task, bash, say, scripted, write};
pub use processes::{Process, mentioning};
pub use server::Server;
