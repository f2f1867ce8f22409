//! What Claude said and did, to be read from top to bottom.

use super::{
    activity::{activity, tool},
    text::{clean, clean_lines, cut},
};
use crate::client::wire::{OutputLine, OutputStream};
use claude_cli::{Block, Event, Line, RawLine};

/// Lines of a tool's answer that are shown.
const ANSWER_LINES: usize = 6;

/// A line of output as text of zero or more lines.
pub(crate) fn transcript(line: &OutputLine) -> Option<String> {
    let text = match line.stream {
        OutputStream::Claude => claude(line)?,
        OutputStream::Stdout => clean_lines(&line.text),
        OutputStream::Stderr => format!("! {}", clean_lines(&line.text)),
        OutputStream::System | OutputStream::Other => format!("» {}", clean_lines(&line.text)),
    };
    (!text.is_empty()).then_some(text)
}

fn claude(line: &OutputLine) -> Option<String> {
    match Line::read(RawLine::Text(line.text.clone())).event {
        Event::Assistant(said) => {
            let blocks: Vec<String> = said.blocks.iter().filter_map(block).collect();
            Some(blocks.join("\n"))
        }
        Event::User(user) => {
            let answers: Vec<String> =
                user.results.iter().map(|answer| shortened(&answer.text, answer.is_error)).collect();
            Some(answers.join("\n"))
        }
        Event::Init(init) => {
            Some(format!("» {} starts", clean(&init.model.unwrap_or_else(|| "Claude".to_owned()))))
        }
        Event::Retry(_) | Event::RateLimit(_) => Some(format!("» {}", activity(line)?)),
        Event::Result(_) | Event::Task(_) | Event::Other { .. } | Event::TooLong { .. } => None,
        // Not JSON: the CLI complained about something.
        Event::Unparsed => Some(clean_lines(&line.text)),
    }
}

fn block(block: &Block) -> Option<String> {
    match block {
        Block::Text(text) => Some(clean_lines(text.trim())),
        Block::ToolUse { name, input, .. } => Some(format!("● {}", cut(&tool(name, input), 400))),
        Block::Thinking(_) | Block::Other(_) => None,
    }
}

fn shortened(answer: &str, is_error: bool) -> String {
    let mark = if is_error { "  ✗ " } else { "  │ " };
    let answer = clean_lines(answer.trim());
    let mut lines: Vec<String> =
        answer.lines().take(ANSWER_LINES).map(|line| format!("{mark}{}", cut(line, 200))).collect();
    let more = answer.lines().count().saturating_sub(ANSWER_LINES);
    if more > 0 {
        lines.push(format!("{mark}… {more} more lines"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(stream: OutputStream, text: &str) -> Option<String> {
        transcript(&OutputLine { attempt: 1, stream, text: text.to_owned() })
    }

    fn line(kind: &str, content: &Value) -> String {
        json!({ "type": kind, "message": { "content": [content] } }).to_string()
    }

    #[test]
    fn a_run_can_be_read() {
        let said = line("assistant", &json!({ "type": "text", "text": "I write it.\n\nThen I test it." }));
        assert_eq!(of(OutputStream::Claude, &said).unwrap(), "I write it.\n\nThen I test it.");
        let call = json!({ "type": "tool_use", "id": "t", "name": "Bash", "input": { "command": "ls" } });
        assert_eq!(of(OutputStream::Claude, &line("assistant", &call)).unwrap(), "● Bash ls");
        let long = (0..9).map(|n| n.to_string()).collect::<Vec<_>>().join("\n");
        let answer = json!({ "type": "tool_result", "tool_use_id": "t", "content": long });
        let shown = of(OutputStream::Claude, &line("user", &answer)).unwrap();
        assert_eq!(shown.lines().count(), ANSWER_LINES + 1);
        assert!(shown.ends_with("  │ … 3 more lines"), "{shown}");
    }

    #[test]
    fn what_is_not_from_claude_is_marked() {
        assert_eq!(of(OutputStream::Stdout, "ok\u{1b}[31m").unwrap(), "ok");
        assert_eq!(of(OutputStream::Stderr, "bad").unwrap(), "! bad");
        assert_eq!(of(OutputStream::System, "note").unwrap(), "» note");
    }
}
