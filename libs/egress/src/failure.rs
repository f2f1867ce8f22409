use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::resolver::LookupError;

/// What went wrong, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureClass {
    /// The URL, or every address of its name, may not be connected to.
    Refused,
    /// The name has no address.
    Dns,
    /// Nobody listens there, or no way leads there.
    Connect,
    /// No encrypted connection came about.
    Tls,
    /// It took too long, whatever did.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// What came back is no HTTP, or too much of it.
    Protocol,
}

impl FailureClass {
    /// A stable word, for storage and figures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In a word.
    pub class: FailureClass,
    /// In a sentence that may be shown to whoever chose the address.
    pub message: String,
    /// The status, if that much came back.
    pub status: Option<StatusCode>,
    /// How long it took to fail.
    pub latency: Duration,
}

/// Class and message of an error.
pub(crate) fn describe(error: reqwest::Error) -> (FailureClass, String) {
    // The URL is known, and may hold a token.
    let error = error.without_url();
    let causes: Vec<&(dyn Error + 'static)> = causes(&error).collect();
    let class = causes.iter().find_map(|cause| class_of_cause(*cause, error.is_connect()));
    let class = if error.is_timeout() { FailureClass::Timeout } else { class.unwrap_or(otherwise(&error)) };
    (class, message(&causes))
}

fn otherwise(error: &reqwest::Error) -> FailureClass {
    if error.is_connect() { FailureClass::Connect } else { FailureClass::Protocol }
}

/// An error and what it comes from. An `io::Error` hides one of them.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        hidden.map(|hidden| hidden as &(dyn Error + 'static)).or_else(|| error.source())
    })
}

fn class_of_cause(cause: &(dyn Error + 'static), connecting: bool) -> Option<FailureClass> {
    if let Some(lookup) = cause.downcast_ref::<LookupError>() {
        return Some(match lookup {
            LookupError::Refused(_) => FailureClass::Refused,
            LookupError::NoAddress | LookupError::Failed(_) => FailureClass::Dns,
        });
    }
    if cause.is::<rustls::Error>() {
        return Some(FailureClass::Tls);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return class_of_hyper(error);
    }
    let error = cause.downcast_ref::<io::Error>()?;
    match error.kind() {
        io::ErrorKind::TimedOut => Some(FailureClass::Timeout),
        // Over TCP alone nobody hangs up while connecting.
        io::ErrorKind::UnexpectedEof if connecting => Some(FailureClass::Tls),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
            if !connecting =>
        {
            Some(FailureClass::Reset)
        }
        _ => None,
    }
}

fn class_of_hyper(error: &hyper::Error) -> Option<FailureClass> {
    if error.is_parse() {
        return Some(FailureClass::Protocol);
    }
    let hung_up = error.is_incomplete_message() || error.is_canceled() || error.is_closed();
    hung_up.then_some(FailureClass::Reset)
}

/// What each of them adds, from the first that tells more than that there was a request.
fn message(causes: &[&(dyn Error + 'static)]) -> String {
    let first = causes.iter().position(|cause| tells_something(*cause)).unwrap_or_default();
    let mut parts: Vec<String> = Vec::new();
    for cause in &causes[first..] {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

fn tells_something(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<LookupError>()
        || cause.is::<rustls::Error>()
        || cause.is::<hyper::Error>()
        || cause.is::<io::Error>()
}
