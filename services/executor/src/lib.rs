//! Leases work, does it in a workspace of its own, and reports how it ended.
//!
//! | file | what |
//! |---|---|
//! | `run` | the loop: as much work at once as there are slots, and how it ends |
//! | `shift` | one order: begun at most once, its end told |
//! | `reporting`, `spool` | reports of ends, kept on disk until the driver confirms them |
//! | `breaker`, `gate` | no attempts while the model cannot be used |
//! | `presence` | what the roster is told |
//! | `settings` | what an operator can set |
//! | `worker` | what doing a piece of work means, behind a trait |
//! | `workshop` | the real worker: git workspaces, agents, checks, bundles |
//! | `patience` | waiting for an artifact store that is away for a moment |
//! | `agent` | who writes the code: the Claude CLI, or a script |
//! | `prompt` | what agents are told |
//! | `output` | from the lines of a run to the output log |
//!
//! The executor knows the bus and the artifact store. It has no way to the event store.

pub mod agent;
mod breaker;
mod gate;
mod output;
mod patience;
mod plan_schema;
mod presence;
mod prompt;
mod reporting;
mod run;
mod settings;
mod shift;
mod spool;
mod worker;
mod workshop;

pub use output::Output;
pub use patience::PatientArtifacts;
pub use presence::Identity;
pub use reporting::Reporting;
pub use run::{Executor, Signals};
pub use settings::{BreakerSettings, Settings, SpoolSettings};
pub use spool::OutcomeSpool;
pub use worker::Worker;
pub use workshop::{Shell, Workshop};
