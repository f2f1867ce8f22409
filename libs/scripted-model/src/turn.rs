//! One turn of a scripted reply.

use crate::{ApiError, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One answer of the model. Its blocks are sent in the order of the fields here.
///
/// `error`, `hang` and `cut` make it a *fault*. A fault is no answer the conversation could remember, so it takes
/// no place of its own in the reply: it stands before the next turn, and once its `times` are used up, that turn
/// answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Turn {
    /// A thinking block.
    pub thinking: Option<String>,
    /// A text block.
    pub text: Option<String>,
    /// A tool call.
    pub tool: Option<ToolCall>,
    /// More tool calls, made in parallel.
    pub tools: Vec<ToolCall>,
    /// The input of a call of `StructuredOutput`, the tool the CLI offers for `--json-schema`.
    pub structured: Option<Value>,
    /// What the reply reports as used.
    pub usage: Usage,
    /// Milliseconds before the answer begins.
    pub delay_ms: u64,
    /// Milliseconds before each piece of a streamed answer.
    pub chunk_delay_ms: u64,
    /// Why the model stopped; by default `tool_use` after a tool call and `end_turn` otherwise.
    pub stop_reason: Option<StopReason>,
    /// Answer with this error.
    pub error: Option<ApiError>,
    /// Never finish: without blocks nothing is sent, otherwise a stream stops half-way.
    pub hang: bool,
    /// Break the connection half-way through the answer.
    pub cut: bool,
    /// How many requests meet this fault; by default all of them.
    pub times: Option<u32>,
}

impl Turn {
    /// Whether the turn is a fault, not an answer.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        self.error.is_some() || self.hang || self.cut
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.thinking.is_none()
            && self.text.is_none()
            && self.tool.is_none()
            && self.tools.is_empty()
            && self.structured.is_none()
    }

    /// What is wrong with it, beyond what its form says.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let faults = [self.error.is_some(), self.hang, self.cut].into_iter().filter(|fault| *fault).count();
        if faults > 1 {
            Some("give one of error, hang and cut")
        } else if faults == 0 && self.times.is_some() {
            Some("times goes with error, hang or cut")
        } else if faults == 0 && self.is_empty() {
            Some("give thinking, text, tool, tools, structured, error, hang or cut")
        } else if self.error.is_some() && !self.is_empty() {
            Some("an error has no content: put the content into the next turn")
        } else {
            None
        }
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolCall {
    /// The tool.
    pub name: String,
    /// Its input; strings in it may use `${name}`.
    #[serde(default = "empty_object")]
    pub input: Value,
    /// Make the call once for every value this capture has, `${name}` being that value.
    #[serde(default)]
    pub for_each: Option<String>,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Why the model stopped, in the words of the Messages API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It had said everything.
    EndTurn,
    /// It waits for tool results.
    ToolUse,
    /// It ran out of tokens.
    MaxTokens,
    /// It met a stop sequence.
    StopSequence,
    /// It paused a long turn.
    PauseTurn,
    /// It refused.
    Refusal,
}
