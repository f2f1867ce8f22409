//! A reply on the wire: one JSON message, or the events of a stream.

use crate::{Block, Ending, Reply};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// A reply with the names the API gives it.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// Distinguishes the message and its tool calls from all others of the conversation.
    pub(crate) tag: String,
    pub(crate) model: String,
    pub(crate) reply: Reply,
}

/// One step of sending a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// An event. `paced` ones wait for the reply's chunk delay.
    Event { bytes: String, paced: bool },
    /// The event that reports the usage for good.
    Report(String),
    /// Break the connection.
    Cut,
    /// Send nothing more.
    Hang,
}

impl Envelope {
    /// The whole message.
    pub(crate) fn message(&self) -> Value {
        let content: Vec<Value> =
            self.reply.blocks.iter().enumerate().map(|(index, block)| self.block(index, block)).collect();
        json!({
            "id": format!("msg_{}", self.tag), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": self.reply.stop_reason, "stop_sequence": null,
            "usage": self.reply.usage.to_wire(),
        })
    }

    fn block(&self, index: usize, block: &Block) -> Value {
        match block {
            Block::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": "scripted"}),
            Block::Text(text) => json!({"type": "text", "text": text}),
            Block::ToolUse { name, input } => {
                json!({"type": "tool_use", "id": format!("toolu_{}_{index}", self.tag), "name": name, "input": input})
            }
        }
    }

    /// The events of a stream.
    pub(crate) fn frames(&self) -> VecDeque<Frame> {
        let mut frames = VecDeque::from([self.start(), event("ping", &json!({"type": "ping"}))]);
        for (index, block) in self.reply.blocks.iter().enumerate() {
            frames.extend(self.block_frames(index, block));
        }
        let broken_end = match self.reply.ending {
            Ending::Whole => None,
            Ending::Cut => Some(Frame::Cut),
            Ending::Hang => Some(Frame::Hang),
        };
        if let Some(end) = broken_end {
            let half = 2 + (frames.len() - 2) / 2;
            frames.truncate(half);
            frames.push_back(end);
            return frames;
        }
        let delta = json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.reply.stop_reason, "stop_sequence": null},
            "usage": self.reply.usage.to_wire(),
        });
        frames.push_back(Frame::Report(bytes("message_delta", &delta)));
        frames.push_back(event("message_stop", &json!({"type": "message_stop"})));
        frames
    }

    fn start(&self) -> Frame {
        let mut usage = self.reply.usage.to_wire();
        // The API knows the output only at the end; what it sends here is a placeholder.
        usage["output_tokens"] = 1.into();
        let message = json!({
            "id": format!("msg_{}", self.tag), "type": "message", "role": "assistant", "model": self.model,
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage,
        });
        event("message_start", &json!({"type": "message_start", "message": message}))
    }

    fn block_frames(&self, index: usize, block: &Block) -> Vec<Frame> {
        let mut opening = self.block(index, block);
        let (field, deltas) = match block {
            Block::Thinking(text) => ("thinking", deltas("thinking_delta", "thinking", text)),
            Block::Text(text) => ("text", deltas("text_delta", "text", text)),
            Block::ToolUse { input, .. } => {
                ("input", deltas("input_json_delta", "partial_json", &input.to_string()))
            }
        };
        opening[field] = if field == "input" { json!({}) } else { json!("") };
        let mut frames = Vec::with_capacity(deltas.len() + 3);
        let start = json!({"type": "content_block_start", "index": index, "content_block": opening});
        frames.push(event("content_block_start", &start));
        for delta in deltas {
            let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
            frames.push(Frame::Event { bytes: bytes("content_block_delta", &delta), paced: true });
        }
        if field == "thinking" {
            let signature = json!({"type": "content_block_delta", "index": index,
                "delta": {"type": "signature_delta", "signature": "scripted"}});
            frames.push(event("content_block_delta", &signature));
        }
        frames.push(event("content_block_stop", &json!({"type": "content_block_stop", "index": index})));
        frames
    }
}

fn deltas(kind: &str, field: &str, text: &str) -> Vec<Value> {
    pieces(text).map(|piece| json!({"type": kind, field: piece})).collect()
}

/// A text in pieces of about 40 bytes, or in about a hundred pieces if it is longer than that makes.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let size = (text.len() / 100).max(40);
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(size));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn event(name: &str, data: &Value) -> Frame {
    Frame::Event { bytes: bytes(name, data), paced: false }
}

fn bytes(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_of_a_text_make_the_text_again() {
        for text in ["", "é", &"aé€😀".repeat(3_000)] {
            assert_eq!(pieces(text).collect::<String>(), text);
            assert!(pieces(text).count() <= 101);
        }
    }
}
