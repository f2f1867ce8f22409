//! What a script needs to know of a conversation.

/// The tool by which the CLI takes structured output.
pub const STRUCTURED_OUTPUT: &str = "StructuredOutput";

/// A conversation up to the answer that is wanted now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The model asked.
    pub model: String,
    /// The system prompt.
    pub system: String,
    /// What the user said, without tool results and without the reminders that the CLI adds.
    pub prompts: Vec<String>,
    /// How often the model has answered since the last prompt.
    pub replies: usize,
    /// The names of the tools offered.
    pub tools: Vec<String>,
    /// The most tokens the answer may have.
    pub max_tokens: Option<u64>,
}

impl Conversation {
    /// The prompt that began it.
    #[must_use]
    pub fn first_prompt(&self) -> &str {
        self.prompts.first().map_or("", String::as_str)
    }

    /// The newest prompt.
    #[must_use]
    pub fn last_prompt(&self) -> &str {
        self.prompts.last().map_or("", String::as_str)
    }

    /// Whether the tool is offered.
    #[must_use]
    pub fn offers(&self, tool: &str) -> bool {
        self.tools.iter().any(|offered| offered == tool)
    }

    /// One token at most is what a client asks for that only wants to know whether its key is good.
    pub(crate) fn is_quota_probe(&self) -> bool {
        self.max_tokens == Some(1)
    }
}
