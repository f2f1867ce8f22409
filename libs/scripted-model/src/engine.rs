//! Picks the turn that answers a conversation.

use crate::{
    Action, Answer, ApiError, Block, Conversation, Ending, Reply, Rule, STRUCTURED_OUTPUT, Script, SearchIn,
    StopReason, Turn, When,
    reply::{done, probe_reply},
    script::parse_steps,
    template::{Captures, Words},
};
use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A script at work. It remembers one thing: how often a fault with `times` was met.
#[derive(Debug)]
pub struct Engine {
    script: Script,
    met: Mutex<HashMap<FaultKey, u32>>,
}

/// Faults of a rule's own reply are counted over all conversations; those that came with a prompt, for that prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct FaultKey {
    rule: usize,
    turn: usize,
    prompt: Option<u64>,
}

impl Engine {
    /// An engine that has met no fault yet.
    #[must_use]
    pub fn new(script: Script) -> Self {
        Self { script, met: Mutex::default() }
    }

    /// The answer to a conversation.
    #[must_use]
    pub fn answer(&self, conversation: &Conversation) -> Answer {
        if conversation.is_quota_probe() {
            return Answer { rule: "(quota probe)".to_owned(), action: Action::Reply(probe_reply()) };
        }
        let mut captures = Captures::default();
        for pattern in &self.script.captures {
            captures.add(&pattern.0, conversation.first_prompt());
        }
        captures.set("prompt", conversation.first_prompt().to_owned());
        for (number, rule) in self.script.rules.iter().enumerate() {
            if !matches(&rule.when, conversation) {
                continue;
            }
            if let Some(pattern) = &rule.when.pattern {
                captures.add(&pattern.0, searched(&rule.when, conversation));
            }
            let turns = match turns(rule, &captures, conversation) {
                Ok(Some(turns)) => turns,
                Ok(None) => continue,
                Err(error) => return Answer { rule: rule.name.clone(), action: error },
            };
            let turn = self.pick(number, rule, &turns, conversation);
            let action = turn
                .map_or_else(|| Action::Reply(done()), |turn| self.perform(turn, &captures, conversation));
            return Answer { rule: rule.name.clone(), action };
        }
        Answer { rule: "(no rule)".to_owned(), action: Action::Reply(done()) }
    }

    fn pick<'t>(
        &self,
        rule_number: usize,
        rule: &Rule,
        turns: &'t [Turn],
        conversation: &Conversation,
    ) -> Option<&'t Turn> {
        let prompt = rule.steps_from.is_some().then(|| hash(conversation.first_prompt()));
        let mut to_pass = conversation.replies;
        for (number, turn) in turns.iter().enumerate() {
            if turn.is_fault() {
                let key = FaultKey { rule: rule_number, turn: number, prompt };
                if to_pass == 0 && self.is_due(key, turn.times) {
                    return Some(turn);
                }
            } else if to_pass == 0 {
                return Some(turn);
            } else {
                to_pass -= 1;
            }
        }
        None
    }

    fn is_due(&self, key: FaultKey, times: Option<u32>) -> bool {
        let Some(times) = times else { return true };
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let count = met.entry(key).or_insert(0);
        let due = *count < times;
        *count += u32::from(due);
        due
    }

    fn perform(&self, turn: &Turn, captures: &Captures, conversation: &Conversation) -> Action {
        let delay = Duration::from_millis(turn.delay_ms);
        if let Some(error) = &turn.error {
            return Action::Error(error.clone(), delay);
        }
        if turn.hang && turn.is_empty() {
            return Action::Hang;
        }
        let mut blocks = self.blocks(turn, captures);
        if conversation.tools.is_empty() {
            // A side request of the CLI (for a title, say) repeats the prompt but offers no tools.
            blocks.retain(|block| !matches!(block, Block::ToolUse { .. }));
        }
        let ending = match (turn.cut, turn.hang) {
            (true, _) => Ending::Cut,
            (false, true) => Ending::Hang,
            (false, false) => Ending::Whole,
        };
        if blocks.is_empty() && ending == Ending::Whole {
            blocks = done().blocks;
        }
        let calls_tool = blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
        let natural = if calls_tool { StopReason::ToolUse } else { StopReason::EndTurn };
        Action::Reply(Reply {
            blocks,
            usage: turn.usage,
            stop_reason: turn.stop_reason.unwrap_or(natural),
            delay,
            chunk_delay: Duration::from_millis(turn.chunk_delay_ms),
            ending,
        })
    }

    fn blocks(&self, turn: &Turn, captures: &Captures) -> Vec<Block> {
        let words =
            Words { captures, files: &self.script.files, samples: &self.script.samples, current: None };
        let mut blocks = Vec::new();
        blocks.extend(turn.thinking.as_ref().map(|text| Block::Thinking(words.render(text))));
        blocks.extend(turn.text.as_ref().map(|text| Block::Text(words.render(text))));
        for call in turn.tool.iter().chain(&turn.tools) {
            let with = |words: &Words<'_>| Block::ToolUse {
                name: call.name.clone(),
                input: words.render_json(&call.input),
            };
            match &call.for_each {
                None => blocks.push(with(&words)),
                Some(name) => blocks.extend(
                    captures
                        .all(name)
                        .iter()
                        .map(|value| with(&Words { current: Some((name, value)), ..words })),
                ),
            }
        }
        blocks.extend(turn.structured.as_ref().map(|value| Block::ToolUse {
            name: STRUCTURED_OUTPUT.to_owned(),
            input: words.render_json(value),
        }));
        blocks
    }
}

fn searched<'c>(when: &When, conversation: &'c Conversation) -> &'c str {
    match when.search_in {
        SearchIn::FirstPrompt => conversation.first_prompt(),
        SearchIn::LastPrompt => conversation.last_prompt(),
        SearchIn::System => &conversation.system,
    }
}

fn matches(when: &When, conversation: &Conversation) -> bool {
    let text = searched(when, conversation);
    when.contains.as_ref().is_none_or(|part| text.contains(part))
        && when.pattern.as_ref().is_none_or(|pattern| pattern.0.is_match(text))
        && when.model.as_ref().is_none_or(|part| conversation.model.contains(part))
        && when.structured.is_none_or(|wanted| wanted == conversation.offers(STRUCTURED_OUTPUT))
        && when.tool.as_ref().is_none_or(|name| conversation.offers(name))
}

/// The rule's turns; none if the prompt brought only steps that are meant for another kind of request.
fn turns<'r>(
    rule: &'r Rule,
    captures: &Captures,
    conversation: &Conversation,
) -> Result<Option<Cow<'r, [Turn]>>, Action> {
    let Some(group) = &rule.steps_from else { return Ok(Some(Cow::Borrowed(&rule.reply))) };
    for json in captures.all(group) {
        let steps = parse_steps(json).map_err(|error| {
            let message = format!("the steps in the prompt, {error}");
            Action::Error(ApiError::invalid(message), Duration::ZERO)
        })?;
        // A plan's own steps may be quoted in the prompts of its tasks, which cannot use them.
        let structured = steps.iter().any(|step| step.structured.is_some());
        if !structured || conversation.offers(STRUCTURED_OUTPUT) {
            return Ok(Some(Cow::Owned(steps)));
        }
    }
    Ok(None)
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
