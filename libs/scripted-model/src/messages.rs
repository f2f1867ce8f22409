//! A request to the Messages API, as far as a script cares about it.

use crate::{ApiError, Conversation};
use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// The body of `POST /v1/messages`. What is not named here is skipped, not kept: bodies run to megabytes.
#[derive(Debug, Deserialize)]
pub(crate) struct MessagesRequest {
    pub(crate) model: String,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    pub(crate) stream: bool,
    #[serde(default)]
    system: Content,
    messages: Vec<Message>,
    #[serde(default)]
    tools: Vec<Tool>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Content,
}

#[derive(Debug, Deserialize)]
struct Tool {
    #[serde(default)]
    name: String,
}

/// The texts of a message: the API takes one string or a list of blocks.
#[derive(Debug, Default)]
struct Content {
    texts: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RawBlock {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> de::Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of content blocks")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content { texts: vec![text.to_owned()] })
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut blocks: A) -> Result<Content, A::Error> {
        let mut texts = Vec::new();
        while let Some(RawBlock { kind, text }) = blocks.next_element()? {
            if kind == "text" {
                texts.extend(text);
            }
        }
        Ok(Content { texts })
    }
}

impl Content {
    /// What the user said in it. The CLI puts reminders of its own beside the user's words and beside tool
    /// results, each in a block of its own.
    fn prompt(self) -> Option<String> {
        let said: Vec<String> = self.texts.into_iter().filter(|text| !is_reminder(text)).collect();
        let prompt = said.join("\n");
        (!prompt.trim().is_empty()).then_some(prompt)
    }
}

fn is_reminder(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("<system-reminder>") && text.ends_with("</system-reminder>")
}

impl MessagesRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let request: Self = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body))
            .map_err(|error| ApiError::invalid(format!("{}: {}", error.path(), error.inner())))?;
        if request.messages.is_empty() {
            return Err(ApiError::invalid("messages: at least one message is required"));
        }
        Ok(request)
    }

    pub(crate) fn into_conversation(self) -> Conversation {
        let mut conversation = Conversation {
            model: self.model,
            system: self.system.texts.join("\n"),
            tools: self.tools.into_iter().map(|tool| tool.name).filter(|name| !name.is_empty()).collect(),
            max_tokens: self.max_tokens,
            ..Conversation::default()
        };
        for message in self.messages {
            match message.role.as_str() {
                "assistant" => conversation.replies += 1,
                "user" => {
                    if let Some(prompt) = message.content.prompt() {
                        conversation.prompts.push(prompt);
                        conversation.replies = 0;
                    }
                }
                _ => {}
            }
        }
        conversation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn conversation(body: &Value) -> Conversation {
        MessagesRequest::parse(body.to_string().as_bytes()).unwrap().into_conversation()
    }

    #[test]
    fn tool_results_and_reminders_are_no_prompts() {
        let heard = conversation(&json!({
            "model": "m", "max_tokens": 9, "system": [{"type": "text", "text": "be kind"}],
            "tools": [{"name": "Write", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "<system-reminder>\nthe date\n</system-reminder>\n"},
                    {"type": "text", "text": "write it", "cache_control": {"type": "ephemeral"}}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Write", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "ok"}]},
                    {"type": "text", "text": "<system-reminder>mind the list</system-reminder>"}]},
            ],
        }));
        assert_eq!(heard.prompts, ["write it"]);
        assert_eq!(heard.replies, 1);
        assert_eq!(heard.tools, ["Write", "web_search"]);
        assert_eq!(heard.system, "be kind");
    }

    #[test]
    fn a_new_prompt_starts_the_count_of_replies_again() {
        let heard = conversation(&json!({"model": "m", "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "fine"},
            {"role": "user", "content": "two"},
        ]}));
        assert_eq!((heard.first_prompt(), heard.last_prompt(), heard.replies), ("one", "two", 0));
    }

    #[test]
    fn a_wrong_body_is_refused_with_the_place_that_is_wrong() {
        let wrong = json!({"model": "m", "messages": [{"role": "user", "content": 7}]}).to_string();
        let error = MessagesRequest::parse(wrong.as_bytes()).unwrap_err();
        assert!(error.message.starts_with("messages[0].content: invalid type: integer"), "{}", error.message);
        assert!(MessagesRequest::parse(br#"{"model":"m","messages":[]}"#).is_err());
    }
}
