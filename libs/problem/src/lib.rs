//! Problem documents (RFC 9457): every error of an HTTP answer is one, with a stable type and no internals.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An error, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(examples(json!({
    "type": "urn:buildwright:problem:invalid_request", "title": "the request is not valid", "status": 422,
    "errors": [{"in": "body", "pointer": "/prompt", "message": "must not be empty"}],
})))]
pub struct Problem {
    /// What kind of problem it is: `urn:buildwright:problem:` and a stable code.
    #[serde(rename = "type")]
    #[schema(max_length = 128, pattern = "^urn:buildwright:problem:[a-z_]+$")]
    pub kind: String,
    /// The same in words, equal for all problems of the kind.
    #[schema(max_length = 200)]
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is particular to this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4_096)]
    pub detail: Option<String>,
    /// Everything wrong with the request, where that is the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50, required = false)]
    pub errors: Vec<FieldError>,
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The part of the request that is meant.
    #[serde(rename = "in")]
    pub location: Location,
    /// JSON pointer (RFC 6901) into the body; for the other parts `/` and the parameter's name.
    #[schema(max_length = 301)]
    pub pointer: String,
    /// What is wrong and what would be right.
    #[schema(max_length = 301)]
    pub message: String,
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// The body.
    Body,
    /// The query string.
    Query,
    /// A header.
    Header,
}

impl Problem {
    /// A problem of a kind.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: &str) -> Self {
        Self {
            kind: format!("urn:buildwright:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: None,
            errors: Vec::new(),
        }
    }

    /// Adds what is particular to this occurrence.
    #[must_use]
    pub fn with(mut self, particulars: impl Particulars) -> Self {
        particulars.add_to(&mut self);
        self
    }
}

/// What can be told of one occurrence of a problem.
pub trait Particulars {
    /// Tells it.
    fn add_to(self, problem: &mut Problem);
}

impl Particulars for String {
    fn add_to(self, problem: &mut Problem) {
        problem.detail = Some(self);
    }
}

impl Particulars for Vec<FieldError> {
    fn add_to(self, problem: &mut Problem) {
        problem.errors = self;
    }
}

/// Tells the client of an answer of status 503 when to come again, unless that is told already.
pub fn tell_when_to_retry<B>(response: &mut http::Response<B>, after: Duration) {
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Whole seconds: less than one would be none.
        let seconds = after.as_secs().max(1);
        response.headers_mut().entry(header::RETRY_AFTER).or_insert_with(|| HeaderValue::from(seconds));
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Writing strings and numbers cannot fail; an empty document would still carry the status.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_worth_another_try() {
        let mut away = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "away", "away").into_response();
        tell_when_to_retry(&mut away, Duration::from_secs(7));
        tell_when_to_retry(&mut away, Duration::from_secs(9));
        assert_eq!(away.headers()[header::RETRY_AFTER], "7", "who knows better has said it first");

        let mut gone = Problem::new(StatusCode::GONE, "gone", "gone").into_response();
        tell_when_to_retry(&mut gone, Duration::from_secs(7));
        assert!(!gone.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn soon_is_still_a_second() {
        let mut away = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "away", "away").into_response();
        tell_when_to_retry(&mut away, Duration::from_millis(1));
        assert_eq!(away.headers()[header::RETRY_AFTER], "1");
    }
}
