//! What the engine answers.

use crate::{ApiError, StopReason, Usage};
use serde_json::Value;
use std::time::Duration;

/// What to do about a request, and the rule that says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The rule's name, or a name in parentheses where no rule had a say.
    pub rule: String,
    /// What to do.
    pub action: Action,
}

/// What to do about a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Say this.
    Reply(Reply),
    /// Fail, after the delay.
    Error(ApiError, Duration),
    /// Never answer.
    Hang,
}

/// An answer of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What it says; never empty, except before a fault.
    pub blocks: Vec<Block>,
    /// What it reports as used.
    pub usage: Usage,
    /// Why it ends.
    pub stop_reason: StopReason,
    /// Time before it begins.
    pub delay: Duration,
    /// Time before each streamed piece.
    pub chunk_delay: Duration,
    /// How it ends.
    pub ending: Ending,
}

/// How an answer ends on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is sent in full.
    Whole,
    /// The connection breaks half-way.
    Cut,
    /// Nothing more comes half-way.
    Hang,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Thoughts.
    Thinking(String),
    /// Words.
    Text(String),
    /// A tool call.
    ToolUse {
        /// The tool.
        name: String,
        /// Its input.
        input: Value,
    },
}

/// What the model says where the script says nothing.
pub(crate) fn done() -> Reply {
    short_reply("Done.", StopReason::EndTurn, Usage::default())
}

pub(crate) fn probe_reply() -> Reply {
    let usage = Usage { input_tokens: 8, output_tokens: 1, ..Usage::ZERO };
    short_reply("#", StopReason::MaxTokens, usage)
}

fn short_reply(text: &str, stop_reason: StopReason, usage: Usage) -> Reply {
    Reply {
        blocks: vec![Block::Text(text.to_owned())],
        usage,
        stop_reason,
        delay: Duration::ZERO,
        chunk_delay: Duration::ZERO,
        ending: Ending::Whole,
    }
}
