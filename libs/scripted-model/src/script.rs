//! The script: which conversations get which reply.

use crate::{Turn, template::file_names};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, io, path::Path};

/// Rules, tried in order; the first that matches answers. A conversation that none matches is told "Done.".
///
/// Strings in replies may use `${name}` for a named group of the rule's pattern or of the script's `captures`,
/// `${prompt}` for the first prompt, `${file:path}` for a file beside the script (read once, when the script is
/// loaded) and `${sample:name}` for the sample text that goes with the file name captured as `name`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Script {
    /// Patterns whose named groups are taken from every first prompt, if they are there.
    #[serde(default)]
    pub captures: Vec<Pattern>,
    /// Sample texts by file name extension; `*` for all others.
    #[serde(default)]
    pub samples: BTreeMap<String, String>,
    /// The rules.
    pub rules: Vec<Rule>,
    #[serde(skip)]
    pub(crate) files: BTreeMap<String, String>,
}

/// A rule: for these conversations, this reply.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// For people, and for the list of requests.
    pub name: String,
    /// Which conversations.
    #[serde(default)]
    pub when: When,
    /// The turns, one for each request of the conversation. Past the end the model says "Done.".
    #[serde(default)]
    pub reply: Vec<Turn>,
    /// Instead of `reply`: the named group of the pattern that holds the turns as a JSON array. If the pattern
    /// matches several times, the first array that the request can make use of counts.
    #[serde(default)]
    pub steps_from: Option<String>,
}

/// Conditions; all that are given must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// Text that `contains` and `pattern` look into.
    #[serde(rename = "in")]
    pub search_in: SearchIn,
    /// It contains this.
    pub contains: Option<String>,
    /// It matches this regular expression.
    pub pattern: Option<Pattern>,
    /// The name of the model contains this.
    pub model: Option<String>,
    /// Structured output is (or is not) asked for.
    pub structured: Option<bool>,
    /// A tool of this name is offered.
    pub tool: Option<String>,
}

/// Where a condition looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SearchIn {
    /// The prompt that began the conversation.
    #[default]
    FirstPrompt,
    /// The newest prompt.
    LastPrompt,
    /// The system prompt.
    System,
}

/// A regular expression in the syntax of the `regex` crate.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(pub(crate) Regex);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

/// Why a text is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The script, or a file that it names, cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// It is not of the form of a script.
    #[error("at {path}: {source}")]
    Form {
        /// Where, such as `rules[2].reply[0].tool`.
        path: String,
        /// What.
        source: serde_json::Error,
    },
    /// It has the form, but makes no sense.
    #[error("at {path}: {problem}")]
    Sense {
        /// Where.
        path: String,
        /// What.
        problem: String,
    },
}

impl Script {
    /// Reads a script and the files it names, which stand relative to it.
    ///
    /// # Errors
    /// When a file cannot be read, or the script is wrong.
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|source| ScriptError::Read { path: path.display().to_string(), source })
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&read(path)?, |name| read(&folder.join(name)))
    }

    /// Reads a script from a text; `file` gives the content of the files it names.
    ///
    /// # Errors
    /// When `file` does, or the script is wrong.
    pub fn parse(
        json: &str,
        mut file: impl FnMut(&str) -> Result<String, ScriptError>,
    ) -> Result<Self, ScriptError> {
        let mut script: Self = from_json(json)?;
        for (index, rule) in script.rules.iter().enumerate() {
            check_rule(rule).map_err(|(path, problem)| ScriptError::Sense {
                path: format!("rules[{index}]{path}"),
                problem,
            })?;
        }
        let mut files = BTreeMap::new();
        for turn in script.rules.iter().flat_map(|rule| &rule.reply) {
            visit_strings(turn, &mut |text| {
                for name in file_names(text) {
                    if !files.contains_key(name) {
                        files.insert(name.to_owned(), file(name)?);
                    }
                }
                Ok(())
            })?;
        }
        script.files = files;
        Ok(script)
    }
}

/// The turns that a prompt brings along.
pub(crate) fn parse_steps(json: &str) -> Result<Vec<Turn>, ScriptError> {
    let turns: Vec<Turn> = from_json(json)?;
    check_turns(&turns, "").map_err(|(path, problem)| ScriptError::Sense { path, problem })?;
    Ok(turns)
}

fn from_json<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, ScriptError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| ScriptError::Form { path: error.path().to_string(), source: error.into_inner() })?;
    reader.end().map_err(|source| ScriptError::Form { path: ".".to_owned(), source })?;
    Ok(value)
}

type Problem = (String, String);

fn check_rule(rule: &Rule) -> Result<(), Problem> {
    let problem = |path: &str, text: &str| Err((path.to_owned(), text.to_owned()));
    match &rule.steps_from {
        Some(_) if !rule.reply.is_empty() => problem("", "give either reply or stepsFrom"),
        None if rule.reply.is_empty() => problem("", "give reply or stepsFrom"),
        Some(group) => {
            let pattern = rule.when.pattern.as_ref();
            if pattern.is_some_and(|pattern| pattern.0.capture_names().flatten().any(|name| name == group)) {
                Ok(())
            } else {
                problem(".stepsFrom", "the pattern has no group of this name")
            }
        }
        None => check_turns(&rule.reply, ".reply"),
    }
}

fn check_turns(turns: &[Turn], path: &str) -> Result<(), Problem> {
    for (index, turn) in turns.iter().enumerate() {
        if let Some(problem) = turn.problem() {
            return Err((format!("{path}[{index}]"), problem.to_owned()));
        }
    }
    Ok(())
}

type Visit<'a> = dyn FnMut(&str) -> Result<(), ScriptError> + 'a;

fn visit_strings(turn: &Turn, visit: &mut Visit<'_>) -> Result<(), ScriptError> {
    for text in [&turn.thinking, &turn.text].into_iter().flatten() {
        visit(text)?;
    }
    for call in turn.tool.iter().chain(&turn.tools) {
        visit_json(&call.input, visit)?;
    }
    turn.structured.as_ref().map_or(Ok(()), |value| visit_json(value, visit))
}

fn visit_json(value: &Value, visit: &mut Visit<'_>) -> Result<(), ScriptError> {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().try_for_each(|item| visit_json(item, visit)),
        Value::Object(fields) => fields.values().try_for_each(|field| visit_json(field, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}
