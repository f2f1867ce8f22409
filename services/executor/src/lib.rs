//! Leases work, does it in a workspace of its own, and reports how it ended.
//!
//! | file | what |
//! |---|---|
//! | `run` | the loop: as much work at once as there are slots |
//! | `worker` | what doing a piece of work means, behind a trait |
//! | `workshop` | the real worker: git workspaces, agents, checks, bundles |
//! | `agent` | who writes the code: the Claude CLI, or a script |
//! | `prompt` | what agents are told |
//! | `output` | from the lines of a run to the output log |
//!
//! The executor knows the bus and the artifact store. It has no way to the event store.

pub mod agent;
mod output;
mod plan_schema;
mod prompt;
mod run;
mod worker;
mod workshop;

pub use output::Output;
pub use run::Executor;
pub use worker::Worker;
pub use workshop::{Shell, Workshop};
