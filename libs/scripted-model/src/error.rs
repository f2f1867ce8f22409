//! Errors as the Messages API answers them, both our own and those a script asks for.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiError {
    /// HTTP status, 400 to 599.
    pub status: ErrorStatus,
    /// The API's name for the error; by default the one that goes with the status.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// For people.
    #[serde(default = "scripted_message")]
    pub message: String,
    /// Seconds, sent as `retry-after`.
    #[serde(default)]
    pub retry_after: Option<u32>,
}

fn scripted_message() -> String {
    "this error was asked for by the script".to_owned()
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status: ErrorStatus(status), kind: None, message: message.into(), retry_after: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The error's name on the wire.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_else(|| self.status.default_kind())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": "error",
            "error": { "type": self.kind(), "message": self.message },
        });
        let mut response = (self.status.0, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An HTTP status that says something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct ErrorStatus(StatusCode);

impl ErrorStatus {
    /// The number.
    #[must_use]
    pub fn as_u16(self) -> u16 {
        self.0.as_u16()
    }

    /// Whether the Claude CLI tries again after it (observed with 2.1.197).
    #[must_use]
    pub fn is_retried(self) -> bool {
        matches!(self.as_u16(), 401 | 408 | 409 | 429 | 500..)
    }

    fn default_kind(self) -> &'static str {
        match self.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        }
    }
}

impl TryFrom<u16> for ErrorStatus {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        match StatusCode::from_u16(number) {
            Ok(status) if (400..600).contains(&number) => Ok(Self(status)),
            _ => Err(format!("{number} is no HTTP error status (400 to 599)")),
        }
    }
}
