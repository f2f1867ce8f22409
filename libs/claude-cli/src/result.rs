//! The `result` line: the CLI's own account of a turn.

use serde_json::Value;

use crate::event::{flag, number, text};
use crate::usage::Usage;

/// A `result` line. A process may print several; see [`crate::Transcript`] for what that means.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultLine {
    /// How the turn ended, as the CLI classifies it. Success does not mean that all went well.
    pub subtype: Subtype,
    /// Whether it failed, API failures included.
    pub is_error: bool,
    /// The final text, or the description of an API failure.
    pub text: Option<String>,
    /// What went wrong, when the subtype is an error.
    pub errors: Vec<String>,
    /// HTTP status of an API failure, if there was an HTTP answer.
    pub api_error_status: Option<u16>,
    /// Why the loop stopped (`completed`, `max_turns`, `aborted_tools`…).
    pub terminal_reason: Option<String>,
    /// The answer that matches the asked schema.
    pub structured_output: Option<Value>,
    /// Tool calls that were refused in this turn.
    pub permission_denials: Vec<PermissionDenial>,
    /// Model turns since the previous result.
    pub num_turns: u64,
    /// Tokens and cost of the process so far.
    pub usage: Usage,
}

/// The CLI's classification of an ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subtype {
    /// `success`
    Success,
    /// `error_max_turns`
    MaxTurns,
    /// `error_max_budget_usd`
    MaxBudget,
    /// `error_max_structured_output_retries`
    StructuredOutputRetries,
    /// `error_during_execution`
    ExecutionError,
    /// One that this version of ours does not know.
    Other(String),
}

/// A tool call that the permission rules refused.
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionDenial {
    /// The tool.
    pub tool_name: String,
    /// The refused call.
    pub tool_use_id: String,
    /// What it was to do.
    pub tool_input: Value,
}

impl ResultLine {
    pub(crate) fn from_json(line: &Value) -> Self {
        let subtype = Subtype::from_name(&text(line, "subtype").unwrap_or_default());
        let items = |name: &str| line.get(name).and_then(Value::as_array).into_iter().flatten();
        Self {
            is_error: flag(line, "is_error").unwrap_or(subtype != Subtype::Success),
            text: text(line, "result"),
            errors: items("errors").filter_map(Value::as_str).map(str::to_owned).collect(),
            api_error_status: number(line, "api_error_status"),
            terminal_reason: text(line, "terminal_reason"),
            structured_output: line.get("structured_output").filter(|value| !value.is_null()).cloned(),
            permission_denials: items("permission_denials").map(PermissionDenial::from_json).collect(),
            num_turns: number(line, "num_turns").unwrap_or(0),
            usage: line.get("modelUsage").map(Usage::from_model_usage).unwrap_or_default(),
            subtype,
        }
    }
}

impl Subtype {
    fn from_name(name: &str) -> Self {
        match name {
            "success" => Self::Success,
            "error_max_turns" => Self::MaxTurns,
            "error_max_budget_usd" => Self::MaxBudget,
            "error_max_structured_output_retries" => Self::StructuredOutputRetries,
            "error_during_execution" => Self::ExecutionError,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl PermissionDenial {
    fn from_json(denial: &Value) -> Self {
        Self {
            tool_name: text(denial, "tool_name").unwrap_or_default(),
            tool_use_id: text(denial, "tool_use_id").unwrap_or_default(),
            tool_input: denial.get("tool_input").cloned().unwrap_or_default(),
        }
    }
}
