//! What the stories in `tests/` are told with: the binary, its HTTP interface, the processes it leaves, git.
//!
//! A [`Server`] is the product in a directory of its own: `buildwright up`, or, where `BUILDWRIGHT_TEST_STACK` is
//! `fleet` or a story asks for it, a process a role over a PostgreSQL and a NATS of its own. When it goes out of
//! scope it is told to stop, and that nothing is left of it (no process, no workspace) is then part of every story.
//! The stories that only one process can tell are listed in `tests/embedded-only`, each with a reason.
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
mod api;
mod binaries;
mod builds;
mod chance;
mod command_line;
mod events;
mod git;
mod instance;
mod launch;
mod marks;
mod model;
mod outside;
mod patience;
mod plan;
mod processes;
mod server;
mod socket;

pub use accounts::assert_accounts_agree;
pub use answer::Answer;
pub use api::Api;
pub use binaries::{buildwright, claude};
pub use builds::Build;
pub use chance::Chance;
pub use command_line::{CommandLine, Ran};
pub use events::{Events, Sse, SseEvent};
pub use git::git;
pub use instance::Instance;
pub use launch::{ExecutorLaunch, Hands, Launch};
pub use marks::Marks;
pub use model::ScriptedModel;
pub use patience::{until, within};
pub use plan::{Plan, Task, bash, say, scripted, write};
pub use processes::{Process, mentioning};
pub use server::{CLEARED_WITHIN, Role, Server};
pub use socket::Socket;
pub use testkit::SmallDisk;
