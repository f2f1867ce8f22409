//! What Claude is doing now, from the lines of its stream.

use super::text::{clean, cut};
use crate::client::wire::{OutputLine, OutputStream};
use claude_cli::{Block, Event, Line, RawLine};
use serde_json::Value;

/// More of a line than any terminal shows.
const MOST: usize = 200;

/// What a line of output tells of what is going on; `None` if nothing new.
pub(crate) fn activity(line: &OutputLine) -> Option<String> {
    let text = match line.stream {
        OutputStream::Claude => claude(&line.text)?,
        OutputStream::Stdout | OutputStream::Stderr => format!("│ {}", clean(&line.text)),
        OutputStream::System | OutputStream::Other => clean(&line.text),
    };
    let text = cut(&text, MOST);
    (!text.is_empty() && text != "│ ").then_some(text)
}

fn claude(raw: &str) -> Option<String> {
    match Line::read(RawLine::Text(raw.to_owned())).event {
        Event::Init(_) => Some("starting".to_owned()),
        Event::Assistant(said) => said.blocks.iter().rev().find_map(block),
        Event::User(user) => {
            let failed = user.results.iter().rev().find(|result| result.is_error)?;
            Some(format!("that failed: {}", clean(failed.text.lines().next().unwrap_or_default())))
        }
        Event::Retry(retry) => {
            let seconds = retry.delay_ms / 1e3;
            let why = retry.status.map_or_else(|| clean(&retry.error), |status| format!("HTTP {status}"));
            Some(format!("retry {} of {} in {seconds:.0} s ({why})", retry.attempt, retry.max_retries))
        }
        Event::RateLimit(limit) if limit.is_rejected() => {
            Some("waiting: the rate limit is reached".to_owned())
        }
        Event::Result(_) => Some("finishing".to_owned()),
        Event::RateLimit(_)
        | Event::Task(_)
        | Event::Other { .. }
        | Event::Unparsed
        | Event::TooLong { .. } => None,
    }
}

fn block(block: &Block) -> Option<String> {
    match block {
        Block::Text(text) => text.lines().map(clean).rfind(|line| !line.is_empty()),
        Block::Thinking(_) => Some("thinking…".to_owned()),
        Block::ToolUse { name, input, .. } => Some(tool(name, input)),
        Block::Other(_) => None,
    }
}

/// A tool call in a few words: `Write src/app.js`, `Bash npm test`.
pub(crate) fn tool(name: &str, input: &Value) -> String {
    const TELLING: [&str; 8] =
        ["file_path", "notebook_path", "command", "pattern", "path", "url", "query", "description"];
    if name == "StructuredOutput" {
        return "writing down the plan".to_owned();
    }
    let told = TELLING.iter().find_map(|&field| Some((field, input.get(field)?.as_str()?)));
    match told {
        Some(("file_path" | "notebook_path" | "path", path)) => {
            format!("{} {}", clean(name), near(&clean(path)))
        }
        Some((_, text)) => format!("{} {}", clean(name), clean(text)),
        None => clean(name),
    }
}

/// A path as seen from the workspace: attempts work in a folder `tree` somewhere deep.
fn near(path: &str) -> &str {
    match path.split_once("/tree/") {
        Some((root, inside)) if root.starts_with('/') => inside,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(stream: OutputStream, text: &str) -> Option<String> {
        activity(&OutputLine { attempt: 1, stream, text: text.to_owned() })
    }

    fn says(content: &Value) -> Option<String> {
        let line = json!({ "type": "assistant", "message": { "content": [content] } });
        of(OutputStream::Claude, &line.to_string())
    }

    fn uses(name: &str, input: &Value) -> Option<String> {
        says(&json!({ "type": "tool_use", "id": "t", "name": name, "input": input }))
    }

    #[test]
    fn a_line_of_the_cli_becomes_a_few_words() {
        let write = json!({ "file_path": "/data/workspaces/x1/tree/src/app.js", "content": "…" });
        assert_eq!(uses("Write", &write).unwrap(), "Write src/app.js");
        let bash = json!({ "command": "npm test\n --all", "description": "run tests" });
        assert_eq!(uses("Bash", &bash).unwrap(), "Bash npm test --all");
        assert_eq!(uses("TodoWrite", &json!({ "todos": [] })).unwrap(), "TodoWrite");
        assert_eq!(says(&json!({ "type": "thinking", "thinking": "hm" })).unwrap(), "thinking…");
        assert_eq!(says(&json!({ "type": "text", "text": "First.\n\nThen that.\n" })).unwrap(), "Then that.");
    }

    #[test]
    fn a_failing_tool_and_a_retry_are_told() {
        let result =
            json!({ "type": "tool_result", "tool_use_id": "t", "is_error": true, "content": "exit 1\nmore" });
        let line = json!({ "type": "user", "message": { "content": [result] } });
        assert_eq!(of(OutputStream::Claude, &line.to_string()).unwrap(), "that failed: exit 1");
        let retry = json!({ "type": "system", "subtype": "api_retry", "attempt": 2, "max_retries": 3,
            "retry_delay_ms": 1500.0, "error_status": 529, "error": "overloaded" });
        assert_eq!(of(OutputStream::Claude, &retry.to_string()).unwrap(), "retry 2 of 3 in 2 s (HTTP 529)");
    }

    #[test]
    fn what_says_nothing_changes_nothing() {
        let ok = json!({ "type": "user", "message": { "content": [{ "type": "tool_result", "tool_use_id": "t", "content": "fine" }] } });
        for line in ["", "no json", r#"{"type":"hologram"}"#, &ok.to_string()] {
            assert_eq!(of(OutputStream::Claude, line), None, "{line}");
        }
        assert_eq!(of(OutputStream::Stdout, "   "), None);
    }

    #[test]
    fn hostile_output_is_only_text() {
        let escape = "\u{1b}]0;pwned\u{7}\u{1b}[2Jrm -rf\u{202e}";
        assert_eq!(uses("Bash", &json!({ "command": escape })).unwrap(), "Bash rm -rf");
        assert_eq!(uses("\u{1b}[31mEvil", &json!({})).unwrap(), "Evil");
        assert_eq!(says(&json!({ "type": "text", "text": escape })).unwrap(), "rm -rf");
        assert_eq!(of(OutputStream::Stderr, escape).unwrap(), "│ rm -rf");
        let long = of(OutputStream::Stdout, &"x".repeat(1 << 20)).unwrap();
        assert_eq!(long.chars().count(), MOST);
    }

    #[test]
    fn every_line_of_the_recorded_transcripts_can_be_shown() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../libs/claude-cli/tests/transcripts");
        let mut shown = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let text = std::fs::read_to_string(path).unwrap();
                shown.extend(text.lines().filter_map(|line| of(OutputStream::Claude, line)));
            }
        }
        assert!(shown.len() > 20);
        assert!(shown.iter().all(|text| !text.chars().any(char::is_control)));
        assert!(shown.contains(&"Write /workspace/hello.txt".to_owned()), "{shown:?}");
    }
}
