//! The problems of a request, gathered.

use problem::{FieldError, Location};

/// What is wrong with a request so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<FieldError>);

impl Problems {
    /// More are not told: enough to work on, and a hostile request gets no answer larger than itself.
    pub(crate) const MOST: usize = 50;
    /// Nor more of each.
    pub(crate) const MOST_CHARS: usize = 300;

    /// Notes a problem of the body, unless the field or what it is in has one already: others tend to follow
    /// from it.
    pub(crate) fn add(&mut self, pointer: &str, message: impl Into<String>) {
        if !self.0.iter().any(|known| is_within(pointer, &known.pointer)) {
            self.add_also(pointer, message);
        }
    }

    /// Notes a problem of the body, even if the field has one already.
    pub(crate) fn add_also(&mut self, pointer: &str, message: impl Into<String>) {
        self.push(Location::Body, pointer, &message.into());
    }

    /// Notes a problem of a parameter.
    pub(crate) fn add_parameter(&mut self, location: Location, name: &str, message: impl Into<String>) {
        self.push(location, &pointer("", name), &message.into());
    }

    fn push(&mut self, location: Location, pointer: &str, message: &str) {
        if self.0.len() < Self::MOST {
            self.0.push(FieldError { location, pointer: cut(pointer), message: cut(message) });
        }
    }

    /// Whether anything is wrong with the field at the pointer or inside it.
    pub(crate) fn any_below(&self, pointer: &str) -> bool {
        self.0.iter().any(|known| is_within(&known.pointer, pointer))
    }

    /// `value`, if nothing is wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// Whether a pointer is `outer` or points into it.
fn is_within(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(Problems::MOST_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The pointer of a field below another pointer.
pub(crate) fn pointer(at: &str, name: &str) -> String {
    format!("{at}/{}", escape(name))
}

/// A name as one step of a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
