//! Lines of the stream, typed where we use them. Reading one never fails: what is missing or odd is
//! left out, what is unknown is [`Event::Other`], and the line itself is always kept.

use serde_json::Value;

use crate::lines::RawLine;
use crate::result::ResultLine;

/// A line of the stream: what it says, and what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The line as printed; empty when it was too long to keep.
    pub raw: String,
    /// What we understand of it.
    pub event: Event,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// `system/init`: the process is ready. Comes again with every turn.
    Init(Init),
    /// A piece of the model's answer.
    Assistant(Assistant),
    /// What the CLI told the model: tool results mostly.
    User(User),
    /// A request failed and will be sent again.
    Retry(Retry),
    /// The account's limits, reported for logins only.
    RateLimit(RateLimit),
    /// A background command or subagent.
    Task(TaskEvent),
    /// The end of a turn.
    Result(ResultLine),
    /// JSON that we have no use for; look at the raw line.
    Other {
        /// Its `type`.
        kind: Option<String>,
        /// Its `subtype`.
        subtype: Option<String>,
    },
    /// Not a JSON object.
    Unparsed,
    /// Longer than the cap, dropped.
    TooLong {
        /// Its length.
        bytes: u64,
    },
}

/// What the process says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Init {
    /// Names the conversation; give it to a later run to resume.
    pub session_id: Option<String>,
    /// The model that will answer.
    pub model: Option<String>,
    /// Version of the CLI.
    pub version: Option<String>,
    /// The tools the model is offered.
    pub tools: Vec<String>,
}

/// A piece of the model's answer. One line per block; the usage figures in it are not final.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Assistant {
    /// Its content, usually one block.
    pub blocks: Vec<Block>,
    /// The tool call of the subagent that says it; `None` for the main conversation.
    pub parent_tool_use_id: Option<String>,
    /// What kind of API failure this line stands for. Not final: the run may go on.
    pub error: Option<String>,
}

/// A content block.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text for the reader.
    Text(String),
    /// Reasoning.
    Thinking(String),
    /// A tool call.
    ToolUse {
        /// Matches [`ToolResult::tool_use_id`].
        id: String,
        /// The tool.
        name: String,
        /// Its arguments.
        input: Value,
    },
    /// Another kind of block.
    Other(Value),
}

/// A line of `type: user`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User {
    /// Results of tool calls, in order of completion.
    pub results: Vec<ToolResult>,
    /// The tool call of the subagent it belongs to.
    pub parent_tool_use_id: Option<String>,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The call it answers.
    pub tool_use_id: String,
    /// Whether the tool failed or was refused.
    pub is_error: bool,
    /// Its text; pictures and other blocks are left out.
    pub text: String,
}

/// `system/api_retry`.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Which retry this is, from 1.
    pub attempt: u32,
    /// How many there may be.
    pub max_retries: u32,
    /// Wait before it, in milliseconds.
    pub delay_ms: f64,
    /// HTTP status of the failure, `None` without an HTTP answer.
    pub status: Option<u16>,
    /// Kind of the failure.
    pub error: String,
}

/// `rate_limit_event`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// `allowed`, `allowed_warning` or `rejected`.
    pub status: String,
    /// When the limit is lifted, in seconds since 1970.
    pub resets_at: Option<i64>,
}

impl RateLimit {
    /// Whether requests are refused until [`RateLimit::resets_at`].
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.status == "rejected"
    }
}

/// `system/task_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEvent {
    /// `task_started`, `task_progress`, `task_updated` or `task_notification`.
    pub subtype: String,
    /// The task.
    pub task_id: String,
    /// What it does, or how it went.
    pub description: Option<String>,
    /// `completed`, `stopped`…, when it changed.
    pub status: Option<String>,
}

impl Line {
    /// Reads a line, whatever it is.
    #[must_use]
    pub fn read(line: RawLine) -> Self {
        match line {
            RawLine::TooLong { bytes } => Self { raw: String::new(), event: Event::TooLong { bytes } },
            RawLine::Text(raw) => {
                let event = match serde_json::from_str::<Value>(&raw) {
                    Ok(json) if json.is_object() => Event::from_json(&json),
                    Ok(_) | Err(_) => Event::Unparsed,
                };
                Self { raw, event }
            }
        }
    }
}

impl Event {
    fn from_json(line: &Value) -> Self {
        let (kind, subtype) = (text(line, "type"), text(line, "subtype"));
        match (kind.as_deref(), subtype.as_deref()) {
            (Some("system"), Some("init")) => Self::Init(Init::from_json(line)),
            (Some("system"), Some("api_retry")) => Self::Retry(Retry::from_json(line)),
            (Some("system"), Some(subtype)) if subtype.starts_with("task_") => {
                Self::Task(TaskEvent::from_json(subtype, line))
            }
            (Some("assistant"), _) => Self::Assistant(Assistant::from_json(line)),
            (Some("user"), _) => Self::User(User::from_json(line)),
            (Some("rate_limit_event"), _) => Self::RateLimit(RateLimit::from_json(line)),
            (Some("result"), _) => Self::Result(ResultLine::from_json(line)),
            _ => Self::Other { kind, subtype },
        }
    }
}

impl Init {
    fn from_json(line: &Value) -> Self {
        let tools = line.get("tools").and_then(Value::as_array).into_iter().flatten();
        Self {
            session_id: text(line, "session_id"),
            model: text(line, "model"),
            version: text(line, "claude_code_version"),
            tools: tools.filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }
}

impl Assistant {
    fn from_json(line: &Value) -> Self {
        Self {
            blocks: content(line).iter().map(Block::from_json).collect(),
            parent_tool_use_id: text(line, "parent_tool_use_id"),
            error: text(line, "error"),
        }
    }
}

impl Block {
    fn from_json(block: &Value) -> Self {
        let kind = block.get("type").and_then(Value::as_str);
        match (kind, text(block, "text"), text(block, "thinking"), text(block, "name")) {
            (Some("text"), Some(said), _, _) => Self::Text(said),
            (Some("thinking"), _, Some(thought), _) => Self::Thinking(thought),
            (Some("tool_use"), _, _, Some(name)) => Self::ToolUse {
                id: text(block, "id").unwrap_or_default(),
                name,
                input: block.get("input").cloned().unwrap_or_default(),
            },
            _ => Self::Other(block.clone()),
        }
    }
}

impl User {
    fn from_json(line: &Value) -> Self {
        let results = content(line).iter().filter(|block| block.get("tool_use_id").is_some());
        Self {
            results: results.map(ToolResult::from_json).collect(),
            parent_tool_use_id: text(line, "parent_tool_use_id"),
        }
    }
}

impl ToolResult {
    fn from_json(block: &Value) -> Self {
        let answer = block.get("content").unwrap_or(&Value::Null);
        let texts = answer.as_array().into_iter().flatten().filter_map(|part| text(part, "text"));
        Self {
            tool_use_id: text(block, "tool_use_id").unwrap_or_default(),
            is_error: flag(block, "is_error").unwrap_or(false),
            text: answer.as_str().map_or_else(|| texts.collect::<Vec<_>>().join("\n"), str::to_owned),
        }
    }
}

impl Retry {
    fn from_json(line: &Value) -> Self {
        Self {
            attempt: number(line, "attempt").unwrap_or(0),
            max_retries: number(line, "max_retries").unwrap_or(0),
            delay_ms: line.get("retry_delay_ms").and_then(Value::as_f64).unwrap_or(0.0),
            status: number(line, "error_status"),
            error: text(line, "error").unwrap_or_default(),
        }
    }
}

impl RateLimit {
    fn from_json(line: &Value) -> Self {
        let info = line.get("rate_limit_info").unwrap_or(&Value::Null);
        Self {
            status: text(info, "status").unwrap_or_default(),
            resets_at: info.get("resetsAt").and_then(Value::as_i64),
        }
    }
}

impl TaskEvent {
    fn from_json(subtype: &str, line: &Value) -> Self {
        let changed = line.get("patch").unwrap_or(line);
        Self {
            subtype: subtype.to_owned(),
            task_id: text(line, "task_id").unwrap_or_default(),
            description: text(line, "summary").or_else(|| text(line, "description")),
            status: text(changed, "status"),
        }
    }
}

fn content(line: &Value) -> &[Value] {
    line.get("message")
        .and_then(|message| message.get("content"))
        .and_then(Value::as_array)
        .map_or(&[], |c| c)
}

pub(crate) fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(crate) fn flag(object: &Value, name: &str) -> Option<bool> {
    object.get(name).and_then(Value::as_bool)
}

pub(crate) fn number<N: TryFrom<u64>>(object: &Value, name: &str) -> Option<N> {
    object.get(name).and_then(Value::as_u64).and_then(|n| N::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> Event {
        Line::read(RawLine::Text(line.to_owned())).event
    }

    #[test]
    fn what_is_unknown_or_broken_is_kept_and_never_fatal() {
        for raw in ["", "not json", "[1]", "{\"type\":", &"[".repeat(100_000)] {
            assert_eq!(event(raw), Event::Unparsed, "{raw:.20}");
        }
        let kind = |kind: Option<&str>| Event::Other { kind: kind.map(str::to_owned), subtype: None };
        assert_eq!(event(r#"{"attachment":{}}"#), kind(None));
        assert_eq!(event(r#"{"type":"hologram","x":1}"#), kind(Some("hologram")));
        assert_eq!(event(r#"{"type":7}"#), kind(None));
        let line = Line::read(RawLine::Text(r#"{"type":"hologram","x":1}"#.into()));
        assert_eq!(line.raw, r#"{"type":"hologram","x":1}"#);
    }

    #[test]
    fn known_lines_with_odd_fields_keep_what_can_be_read() {
        let Event::Result(result) = event(
            r#"{"type":"result","subtype":"success","is_error":false,
            "num_turns":"three","api_error_status":-1,"result":7,"modelUsage":[],"permission_denials":{}}"#,
        ) else {
            panic!("not a result")
        };
        assert!(!result.is_error);
        assert_eq!((result.num_turns, result.api_error_status, result.text), (0, None, None));
        assert_eq!(event(r#"{"type":"assistant","message":"?"}"#), Event::Assistant(Assistant::default()));
        assert_eq!(event(r#"{"type":"user","message":{"content":"hi"}}"#), Event::User(User::default()));
    }

    #[test]
    fn a_tool_result_may_be_text_or_blocks() {
        let answer = |content: &str| {
            let line = format!(
                r#"{{"type":"user","message":{{"content":[{{"tool_use_id":"t","type":"tool_result","content":{content}}}]}}}}"#
            );
            let Event::User(user) = event(&line) else { panic!("{line}") };
            user.results[0].text.clone()
        };
        assert_eq!(answer(r#""plain""#), "plain");
        assert_eq!(
            answer(r#"[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]"#),
            "a\nb"
        );
    }

    #[test]
    fn a_rejected_limit_says_when_it_is_lifted() {
        let Event::RateLimit(limit) = event(
            r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795300000}}"#,
        ) else {
            panic!("not a limit")
        };
        assert!(limit.is_rejected());
        assert_eq!(limit.resets_at, Some(1_795_300_000));
    }
}
