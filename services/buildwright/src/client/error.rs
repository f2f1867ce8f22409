use crate::render::text::clean;
use reqwest::StatusCode;
use serde::Deserialize;
use std::{fmt, io};

/// Why the API did not do as asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// No server at the other end, or it went away.
    #[error("{base} does not answer: {reason}")]
    Unreachable {
        /// Its URL.
        base: String,
        /// What the network said.
        reason: String,
    },
    /// It is no URL of a server.
    #[error("{0:?} is not the address of a server; it should look like http://127.0.0.1:8420")]
    Address(String),
    /// It is no API key.
    #[error("BUILDWRIGHT_API_KEY holds what cannot be an API key")]
    Key,
    /// The server says no.
    #[error("{0}")]
    Refused(Problem),
    /// The server says something else than we know.
    #[error("{what}")]
    Answer {
        /// What, in words.
        what: String,
    },
    /// Nowhere to put a download.
    #[error("cannot store the download")]
    Disk(#[source] io::Error),
}

/// A problem document (RFC 9457), as far as people want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) kind: String,
    title: String,
    detail: Option<String>,
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: Option<String>,
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct FieldProblem {
    pointer: String,
    message: String,
}

/// Makes an error of an answer that is none.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> ClientError {
    let document: Document = serde_json::from_slice(body).unwrap_or_default();
    let title = match document.title.is_empty() {
        false => document.title,
        true => format!("the server answered {status}"),
    };
    ClientError::Refused(Problem {
        status: status.as_u16(),
        kind: document.kind,
        title,
        detail: document.detail,
        errors: document.errors,
    })
}

impl Problem {
    /// Whether it is of this kind, named without its prefix.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.kind.rsplit(':').next() == Some(code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(&self.title))?;
        if let Some(detail) = &self.detail {
            write!(f, ": {}", clean(detail))?;
        }
        for error in &self.errors {
            write!(f, "\n  {}: {}", clean(&error.pointer), clean(&error.message))?;
        }
        Ok(())
    }
}

impl ClientError {
    /// The innermost reason says most; the URL is known already.
    pub(super) fn unreachable(base: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut reason: &dyn std::error::Error = &error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { reason.to_string() };
        Self::Unreachable { base: base.to_owned(), reason }
    }

    /// Whether asking again later may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(problem) => problem.status >= 500 || problem.status == 429,
            Self::Address(_) | Self::Key | Self::Answer { .. } | Self::Disk(_) => false,
        }
    }
}
