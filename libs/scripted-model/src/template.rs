//! `${name}` in the strings of a reply.

use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// What `${name}` stands for.
#[derive(Debug, Default)]
pub(crate) struct Captures(BTreeMap<String, Vec<String>>);

impl Captures {
    /// Takes in every match of the pattern's named groups. Names met before are replaced.
    pub(crate) fn add(&mut self, pattern: &regex::Regex, text: &str) {
        for name in pattern.capture_names().flatten() {
            let values: Vec<String> = pattern
                .captures_iter(text)
                .filter_map(|found| Some(found.name(name)?.as_str().to_owned()))
                .collect();
            if !values.is_empty() {
                self.0.insert(name.to_owned(), values);
            }
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), vec![value]);
    }

    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }
}

/// Captures, and the two kinds of ready text a script brings along.
pub(crate) struct Words<'a> {
    pub(crate) captures: &'a Captures,
    /// Whole files, for `${file:path}`.
    pub(crate) files: &'a BTreeMap<String, String>,
    /// Texts by file name extension, for `${sample:capture}`.
    pub(crate) samples: &'a BTreeMap<String, String>,
    /// The value a repeated call is at.
    pub(crate) current: Option<(&'a str, &'a str)>,
}

impl Words<'_> {
    /// Replaces every `${name}` it knows and leaves the others as they are. What was put in is not looked at
    /// again: a file may be full of `${…}` of its own.
    pub(crate) fn render(&self, text: &str) -> String {
        let mut done = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, from) = rest.split_at(start);
            done.push_str(before);
            match from[2..].find('}').and_then(|end| Some((end, self.word(&from[2..2 + end])?))) {
                Some((end, word)) => {
                    done.push_str(&word);
                    rest = &from[end + 3..];
                }
                None => {
                    done.push_str("${");
                    rest = &from[2..];
                }
            }
        }
        done.push_str(rest);
        done
    }

    /// [`Self::render`] for every string value inside.
    pub(crate) fn render_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.render(text)),
            Value::Array(items) => items.iter().map(|item| self.render_json(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields.iter().map(|(name, field)| (name.clone(), self.render_json(field))).collect(),
            ),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
        }
    }

    fn word(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(path) = name.strip_prefix("file:") {
            return self.files.get(path).map(|text| text.as_str().into());
        }
        if let Some(capture) = name.strip_prefix("sample:") {
            let (_, file_name) = self.value(capture)?.rsplit_once('/').unwrap_or(("", self.value(capture)?));
            let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
            let sample = self.samples.get(extension).or_else(|| self.samples.get("*"))?;
            // A sample names captures, never samples: `none` ends it.
            let none = BTreeMap::new();
            return Some(Words { samples: &none, ..*self }.render(sample).into());
        }
        self.value(name).map(Into::into)
    }

    fn value(&self, name: &str) -> Option<&str> {
        match self.current {
            Some((current, value)) if current == name => Some(value),
            _ => self.captures.first(name),
        }
    }
}

/// The paths of `${file:path}` in a string.
pub(crate) fn file_names(text: &str) -> impl Iterator<Item = &str> {
    text.split("${file:").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        let mut captures = Captures::default();
        let pattern = regex::Regex::new("(?m)^Target: (?<target>.+)$").unwrap();
        captures.add(&pattern, "Target: docs/a.md\nTarget: b.sh\nTarget: Makefile");
        captures.set("home", "/h".to_owned());
        let files = BTreeMap::from([("x.sh".to_owned(), "echo ${home}".to_owned())]);
        let samples = BTreeMap::from([
            ("md".to_owned(), "# ${target}".to_owned()),
            ("*".to_owned(), "loop ${sample:target}".to_owned()),
        ]);
        let words = Words { captures: &captures, files: &files, samples: &samples, current: None };
        words.render(text)
    }

    #[test]
    fn captures_replace_their_names_and_unknown_names_stay() {
        assert_eq!(rendered("${home}/${target} ${nobody} ${ $ }"), "/h/docs/a.md ${nobody} ${ $ }");
    }

    #[test]
    fn what_a_file_says_is_not_replaced_again() {
        assert_eq!(rendered("<${file:x.sh}>"), "<echo ${home}>");
    }

    #[test]
    fn a_sample_is_chosen_by_the_extension_and_knows_the_captures() {
        assert_eq!(rendered("${sample:target}"), "# docs/a.md");
    }

    #[test]
    fn a_sample_that_names_a_sample_does_not_loop() {
        assert_eq!(rendered("${sample:home}"), "loop ${sample:target}");
    }

    #[test]
    fn an_open_brace_at_the_end_is_just_text() {
        assert_eq!(rendered("a ${"), "a ${");
        assert_eq!(rendered("é${home"), "é${home");
    }

    #[test]
    fn file_names_are_found_wherever_they_stand() {
        let found: Vec<_> = file_names("${file:a} x ${file:b/c.sh}${file:open").collect();
        assert_eq!(found, ["a", "b/c.sh"]);
    }
}
