//! What Buildwright decides, and nothing of how it is carried out.
//!
//! Deciding is synchronous and pure: `decide(state, command) -> events` reads no clock, makes no id and does
//! no I/O; times, ids and looked-up facts arrive inside the command. `apply(state, event)` is the one
//! transition function, for live writes and for replay alike.

pub mod build;
pub mod endpoint;
mod failure;
mod id;
mod stored;
mod usage;

pub use build::Build;
pub use endpoint::Endpoint;
pub use failure::{Failure, FailureClass};
pub use id::{BuildId, EndpointId, EventId, IdError, TaskId};
pub use stored::DecodeError;
pub use usage::{ModelUsage, Usage};
