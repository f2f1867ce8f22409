//! Reading a JSON object field by field. serde stops at the first field that does not fit; people who call an
//! API would rather hear of all of them.

use super::problems::{Problems, pointer};
use serde_json::{Map, Value};

/// The fields of an object that have not been read yet.
pub(crate) struct Fields<'p> {
    at: String,
    left: Map<String, Value>,
    problems: &'p mut Problems,
}

impl<'p> Fields<'p> {
    /// The fields of `value`, which stands at the pointer `at`; none if it is no object.
    pub(crate) fn of(value: Value, at: impl Into<String>, problems: &'p mut Problems) -> Self {
        let at = at.into();
        let left = match value {
            Value::Object(fields) => fields,
            other => {
                problems.add(&at, format!("must be an object, not {}", name_of(&other)));
                Map::new()
            }
        };
        Self { at, left, problems }
    }

    /// The pointer of a field.
    pub(crate) fn pointer(&self, name: &str) -> String {
        pointer(&self.at, name)
    }

    /// Notes a problem of a field.
    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        let pointer = self.pointer(name);
        self.problems.add(&pointer, message);
    }

    /// Whether there is such a field, be it `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Whether a field says `null`, where that means something else than nothing.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(Value::is_null)
    }

    /// Where problems are noted.
    pub(crate) fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    /// A field's value; `null` is as good as nothing.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => self.mismatch(name, "a string", &other),
        }
    }

    /// A text that must be there; empty if it is not.
    pub(crate) fn required_text(&mut self, name: &str) -> String {
        if self.left.get(name).is_none_or(Value::is_null) {
            self.problem(name, "is required");
        }
        self.text(name).unwrap_or_default()
    }

    /// A whole number of at least 0.
    pub(crate) fn whole(&mut self, name: &str) -> Option<u32> {
        let value = self.take(name)?;
        match whole(&value).and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Some(number),
            None => self.mismatch(name, "a whole number", &value),
        }
    }

    /// A whole number, below 0 too.
    pub(crate) fn integer(&mut self, name: &str) -> Option<i64> {
        let value = self.take(name)?;
        match whole(&value) {
            Some(number) => Some(number),
            None => self.mismatch(name, "a whole number", &value),
        }
    }

    /// Any number.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        match self.take(name)? {
            Value::Number(number) => number.as_f64(),
            other => self.mismatch(name, "a number", &other),
        }
    }

    /// A list of at most `most` elements, each read by `read`. A longer one is not looked into: what is made of
    /// its elements could be many times larger than the body.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        most: usize,
        mut read: impl FnMut(Value, String, &mut Problems) -> T,
    ) -> Option<Vec<T>> {
        let pointer = self.pointer(name);
        match self.take(name)? {
            Value::Array(elements) if elements.len() > most => {
                self.problem(name, format!("has {} elements, at most {most} are allowed", elements.len()));
                None
            }
            Value::Array(elements) => Some(
                elements
                    .into_iter()
                    .enumerate()
                    .map(|(index, element)| read(element, format!("{pointer}/{index}"), self.problems))
                    .collect(),
            ),
            other => self.mismatch(name, "a list", &other),
        }
    }

    /// A list of at most `most` texts.
    pub(crate) fn texts(&mut self, name: &str, most: usize) -> Option<Vec<String>> {
        self.list(name, most, |value, pointer, problems| match value {
            Value::String(text) => text,
            other => {
                problems.add(&pointer, format!("must be a string, not {}", name_of(&other)));
                String::new()
            }
        })
    }

    /// A field that is itself an object, read by `read`.
    pub(crate) fn object<T>(&mut self, name: &str, read: impl FnOnce(Fields<'_>) -> T) -> Option<T> {
        let pointer = self.pointer(name);
        let value = self.take(name)?;
        if value.is_object() {
            Some(read(Fields::of(value, pointer, self.problems)))
        } else {
            self.mismatch(name, "an object", &value)
        }
    }

    /// Every field that is left, with its name: for maps.
    pub(crate) fn rest(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.left)
    }

    /// What is left now is not known.
    pub(crate) fn finish(self) {
        for name in self.left.keys() {
            let pointer = pointer(&self.at, name);
            self.problems.add(&pointer, "unknown field");
        }
    }

    fn mismatch<T>(&mut self, name: &str, wanted: &str, got: &Value) -> Option<T> {
        self.problem(name, format!("must be {wanted}, not {}", name_of(got)));
        None
    }
}

/// A whole number, be it written as one or as `1.0`: JSON knows no difference.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
fn whole(value: &Value) -> Option<i64> {
    const EXACT: f64 = (1u64 << 53) as f64;
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT)?;
        Some(number as i64)
    })
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(number) if number.is_i64() && !number.is_u64() => "a negative number",
        Value::Number(_) => "such a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
