//! What the lines of one process add up to.

use serde_json::Value;

use crate::event::Event;
use crate::result::{PermissionDenial, ResultLine};

/// What has been seen of a stream so far. Feed it every event in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// Names the conversation.
    pub session_id: Option<String>,
    /// Version of the CLI.
    pub claude_version: Option<String>,
    /// The last `result` line. Its usage is the total of the process.
    pub last_result: Option<ResultLine>,
    /// Refused tool calls; each result line reports those of its own turn.
    pub permission_denials: Vec<PermissionDenial>,
    /// The last answer that matched the asked schema.
    pub structured_output: Option<Value>,
    /// Model turns, all results together.
    pub num_turns: u64,
    /// Kind of the last API failure of the main conversation, as the CLI names it.
    pub api_error: Option<String>,
    /// When a limit that was hit is lifted, in seconds since 1970.
    pub limit_resets_at: Option<i64>,
}

impl Transcript {
    /// Takes one more event into account.
    pub fn add(&mut self, event: &Event) {
        match event {
            Event::Init(init) => {
                self.session_id.clone_from(&init.session_id);
                self.claude_version.clone_from(&init.version);
            }
            Event::Assistant(said) if said.parent_tool_use_id.is_none() => {
                self.api_error.clone_from(&said.error);
            }
            Event::RateLimit(limit) if limit.is_rejected() => self.limit_resets_at = limit.resets_at,
            Event::Result(result) => {
                self.permission_denials.extend(result.permission_denials.iter().cloned());
                self.num_turns += result.num_turns;
                if result.structured_output.is_some() {
                    self.structured_output.clone_from(&result.structured_output);
                }
                self.last_result = Some(result.clone());
            }
            _ => {}
        }
    }
}
