use std::fmt;
use std::str::FromStr;

/// Why a text is no [`EventGlob`], or one that would never match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Not of the form.
    #[error("`{0}` must be an event type such as `build_completed`, a beginning such as `build_*`, or `*`")]
    Form(String),
    /// No such event type.
    #[error("there is no event type `{glob}`; there are {known}")]
    UnknownType {
        /// As it was given.
        glob: String,
        /// The event types that there are.
        known: String,
    },
    /// No event type begins so.
    #[error("no event type matches `{glob}`; there are {known}")]
    MatchesNothing {
        /// As it was given.
        glob: String,
        /// The event types that there are.
        known: String,
    },
    /// More globs than a filter may have.
    #[error("a filter has at most {max} entries", max = EventFilter::MAX_GLOBS)]
    TooMany,
}

/// Which event types: one (`build_completed`), those that begin so (`build_*`), or all (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventGlob {
    beginning: String,
    rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Rest {
    Nothing,
    Anything,
}

impl EventGlob {
    /// The longest glob, in bytes.
    pub const MAX_BYTES: usize = 100;

    /// All event types.
    #[must_use]
    pub fn all() -> Self {
        Self { beginning: String::new(), rest: Rest::Anything }
    }

    /// Whether it means this event type.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        match self.rest {
            Rest::Nothing => event_type == self.beginning,
            Rest::Anything => event_type.starts_with(&self.beginning),
        }
    }

    /// That there are event types it means.
    ///
    /// # Errors
    /// When it means none of the catalogue, which is a slip of whoever wrote it.
    pub fn check(&self, catalogue: &[&str]) -> Result<(), GlobError> {
        if catalogue.iter().any(|known| self.matches(known)) {
            return Ok(());
        }
        let (glob, known) = (self.to_string(), catalogue.join(", "));
        Err(match self.rest {
            Rest::Nothing => GlobError::UnknownType { glob, known },
            Rest::Anything => GlobError::MatchesNothing { glob, known },
        })
    }
}

impl FromStr for EventGlob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        let (beginning, rest) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, Rest::Anything),
            None => (text, Rest::Nothing),
        };
        let fits = beginning.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.');
        if text.is_empty() || text.len() > Self::MAX_BYTES || !fits {
            let shown: String = text.chars().take(Self::MAX_BYTES).collect();
            return Err(GlobError::Form(shown.escape_debug().to_string()));
        }
        Ok(Self { beginning: beginning.to_owned(), rest })
    }
}

impl fmt::Display for EventGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.beginning)?;
        match self.rest {
            Rest::Nothing => Ok(()),
            Rest::Anything => f.write_str("*"),
        }
    }
}

/// What an endpoint wants to hear of: whatever one of its globs means.
///
/// ```
/// use buildwright_webhooks::EventFilter;
///
/// let catalogue = ["build_started", "build_completed", "task_completed"];
/// let filter = EventFilter::parse(["build_*"], &catalogue)?;
/// assert!(filter.matches("build_started"));
/// assert!(!filter.matches("task_completed"));
///
/// let refused = EventFilter::parse(["build_finished"], &catalogue).unwrap_err();
/// assert!(refused.to_string().starts_with("there is no event type `build_finished`"));
/// # Ok::<(), buildwright_webhooks::GlobError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter(Vec<EventGlob>);

impl EventFilter {
    /// The most globs of a filter.
    pub const MAX_GLOBS: usize = 64;

    /// A filter of globs which all mean something. None at all means every event.
    ///
    /// # Errors
    /// At the first that is no glob, or means nothing.
    pub fn parse<I>(globs: I, catalogue: &[&str]) -> Result<Self, GlobError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let parsed = globs.into_iter().enumerate().map(|(index, text)| {
            if index == Self::MAX_GLOBS {
                return Err(GlobError::TooMany);
            }
            let glob: EventGlob = text.as_ref().parse()?;
            glob.check(catalogue)?;
            Ok(glob)
        });
        parsed.collect()
    }

    /// Whether an event of this type is wanted.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        self.0.iter().any(|glob| glob.matches(event_type))
    }

    /// The globs, of which there is at least one.
    pub fn globs(&self) -> impl Iterator<Item = &EventGlob> {
        self.0.iter()
    }
}

impl FromIterator<EventGlob> for EventFilter {
    /// Of globs that were checked before, perhaps against an older catalogue.
    fn from_iter<I: IntoIterator<Item = EventGlob>>(globs: I) -> Self {
        let globs: Vec<EventGlob> = globs.into_iter().collect();
        Self(if globs.is_empty() { vec![EventGlob::all()] } else { globs })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CATALOGUE: [&str; 4] = ["build_started", "build_completed", "task_completed", "task_failed"];

    fn wanted(globs: &[&str]) -> Result<Vec<&'static str>, GlobError> {
        let filter = EventFilter::parse(globs, &CATALOGUE)?;
        Ok(CATALOGUE.into_iter().filter(|event_type| filter.matches(event_type)).collect())
    }

    #[test]
    fn a_filter_wants_what_one_of_its_globs_means() {
        for (globs, expected) in [
            (&["build_started"][..], &["build_started"][..]),
            (&["build_*"], &["build_started", "build_completed"]),
            (&["task_*", "build_completed"], &["build_completed", "task_completed", "task_failed"]),
            (&["*"], &CATALOGUE),
            (&[], &CATALOGUE),
            (&["task_failed*"], &["task_failed"]),
        ] {
            assert_eq!(wanted(globs).as_deref(), Ok(expected), "{globs:?}");
        }
    }

    #[test]
    fn what_would_never_match_is_named() {
        for (glob, message) in [
            ("build_finished", "there is no event type `build_finished`"),
            ("build", "there is no event type `build`"),
            ("plan_*", "no event type matches `plan_*`"),
            ("Build_*", "no event type matches `Build_*`"),
            ("", "`` must be"),
            ("*_failed", "`*_failed` must be"),
            ("**", "`**` must be"),
            ("a\nb", "`a\\nb` must be"),
            ("task failed", "`task failed` must be"),
        ] {
            let error = wanted(&["build_*", glob]).expect_err(glob).to_string();
            assert!(error.starts_with(message), "{glob:?}: {error}");
        }
        assert_eq!(wanted(&["*"; 65]), Err(GlobError::TooMany));
    }

    proptest! {
        #[test]
        fn whatever_is_parsed_is_shown_as_it_was_written(text in "[a-z_.*]{0,8}") {
            if let Ok(glob) = text.parse::<EventGlob>() {
                prop_assert_eq!(glob.to_string(), text);
            }
        }
    }
}
