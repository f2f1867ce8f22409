//! What was asked, and what was reported as used.

use crate::{Conversation, Usage};
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

const KEPT_REQUESTS: usize = 1_000;
const KEPT_PROMPT_CHARS: usize = 2_000;

/// Totals of what was reported to clients. A reply counts once it was handed to the connection in full: one that
/// broke off, or whose client left, reported nothing that a client could account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UsageReport {
    /// By model, under the name the client used.
    pub models: BTreeMap<String, ModelUsage>,
}

/// The totals of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelUsage {
    /// Tokens read, those of the cache not included.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens read from the cache.
    pub cache_read_input_tokens: u64,
    /// Tokens written to the cache.
    pub cache_creation_input_tokens: u64,
    /// Replies that reported them.
    pub requests: u64,
}

/// A request to the Messages API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRecord {
    /// Its number, from 1.
    pub number: u64,
    /// The model asked.
    pub model: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The first 2,000 characters of the prompt that began the conversation.
    pub prompt: String,
    /// Answers of the model since the last prompt.
    pub replies: usize,
    /// The tools offered.
    pub tools: Vec<String>,
    /// The rule that answered.
    pub rule: String,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    usage: Mutex<UsageReport>,
    requests: Mutex<VecDeque<RequestRecord>>,
}

impl Ledger {
    pub(crate) fn report(&self, model: &str, usage: Usage) {
        let mut report = held(&self.usage);
        let total = report.models.entry(model.to_owned()).or_default();
        total.input_tokens += usage.input_tokens;
        total.output_tokens += usage.output_tokens;
        total.cache_read_input_tokens += usage.cache_read_input_tokens;
        total.cache_creation_input_tokens += usage.cache_creation_input_tokens;
        total.requests += 1;
    }

    pub(crate) fn note(&self, conversation: &Conversation, stream: bool, rule: &str) -> u64 {
        let mut requests = held(&self.requests);
        let number = requests.back().map_or(1, |last| last.number + 1);
        if requests.len() == KEPT_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(RequestRecord {
            number,
            model: conversation.model.clone(),
            stream,
            prompt: conversation.first_prompt().chars().take(KEPT_PROMPT_CHARS).collect(),
            replies: conversation.replies,
            tools: conversation.tools.clone(),
            rule: rule.to_owned(),
        });
        number
    }

    pub(crate) fn usage(&self) -> UsageReport {
        held(&self.usage).clone()
    }

    /// The newest `limit` requests, oldest first.
    pub(crate) fn requests(&self, limit: usize) -> Vec<RequestRecord> {
        let requests = held(&self.requests);
        requests.iter().skip(requests.len().saturating_sub(limit)).cloned().collect()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_requests_are_kept_and_their_prompts_cut() {
        let ledger = Ledger::default();
        let asked = Conversation { prompts: vec!["é".repeat(5_000)], ..Conversation::default() };
        for _ in 0..KEPT_REQUESTS + 5 {
            ledger.note(&asked, false, "r");
        }
        let kept = ledger.requests(usize::MAX);
        assert_eq!((kept.len(), kept[0].number), (KEPT_REQUESTS, 6));
        assert_eq!(kept[0].prompt.chars().count(), KEPT_PROMPT_CHARS);
        assert_eq!(ledger.requests(2).iter().map(|r| r.number).collect::<Vec<_>>(), [1_004, 1_005]);
    }
}
