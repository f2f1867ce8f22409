//! A model that says what a script tells it to.
//!
//! - [`Script`]: rules that match a conversation and hold the turns to answer with.
//! - [`Engine`]: picks the turn. The place in a reply is read off the conversation itself, so a restarted server
//!   goes on where the conversation stands.
//! - [`ScriptedModel`]: the engine behind the Messages API, for the real Claude CLI or any other client.
//! - [`agent`]: the engine with hands of its own, for machines that have no CLI.

pub mod agent;
mod builtin;
mod conversation;
mod engine;
mod error;
mod frames;
mod ledger;
mod messages;
mod reply;
mod routes;
mod script;
mod server;
mod template;
mod turn;
mod usage;

pub use conversation::{Conversation, STRUCTURED_OUTPUT};
pub use engine::Engine;
pub use error::{ApiError, ErrorStatus};
pub use ledger::{ModelUsage, RequestRecord, UsageReport};
pub use reply::{Action, Answer, Block, Ending, Reply};
pub use script::{Pattern, Rule, Script, ScriptError, SearchIn, When};
pub use server::{Handle, ScriptedModel, serve};
pub use turn::{StopReason, ToolCall, Turn};
pub use usage::Usage;
