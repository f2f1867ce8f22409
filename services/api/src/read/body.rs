//! Bodies: bounded, in time, UTF-8, JSON, not too deep, and then read field by field.

use super::Problems;
use crate::{ApiSettings, App, errors::api_errors};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use problem::FieldError;
use serde_json::Value;

/// What can be read from a JSON body.
pub(crate) trait FromJson: Sized + Send {
    /// Reads it, noting every problem. With problems, the value is thrown away.
    fn from_json(value: Value, settings: &ApiSettings, problems: &mut Problems) -> Self;
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body, or none at all.
pub(crate) struct OptionalBody<T>(pub(crate) Option<T>);

api_errors! {
    /// What a body can be refused for.
    pub(crate) enum BodyError {
        BAD_REQUEST "malformed_body": Malformed(errors: Vec<FieldError>) => "the body is not JSON that can be read",
        REQUEST_TIMEOUT "body_timeout": Slow => "the body took too long to arrive",
        PAYLOAD_TOO_LARGE "body_too_large": TooLarge(detail: String) => "the body is too large",
        UNSUPPORTED_MEDIA_TYPE "unsupported_media_type": MediaType => "the body must be application/json",
        UNPROCESSABLE_ENTITY "invalid_request": Invalid(errors: Vec<FieldError>) => "the request is not valid",
    }
}

impl<T: FromJson> FromRequest<App> for Body<T> {
    type Rejection = BodyError;

    async fn from_request(request: Request, app: &App) -> Result<Self, BodyError> {
        if !is_json(request.headers()) {
            return Err(BodyError::MediaType);
        }
        let (parts, body) = request.into_parts();
        let bytes = receive(&parts.headers, body, &app.settings).await?;
        parse(&bytes, &app.settings).map(Self)
    }
}

impl<T: FromJson> FromRequest<App> for OptionalBody<T> {
    type Rejection = BodyError;

    async fn from_request(request: Request, app: &App) -> Result<Self, BodyError> {
        let json = is_json(request.headers());
        let (parts, body) = request.into_parts();
        let bytes = receive(&parts.headers, body, &app.settings).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !json {
            return Err(BodyError::MediaType);
        }
        // As for a field, `null` is as good as nothing.
        if bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        parse(&bytes, &app.settings).map(|value| Self(Some(value)))
    }
}

/// `application/json`, in UTF-8 if it says anything about that.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = given.split(';').map(str::trim);
    let media_type = parts.next().is_some_and(|text| text.eq_ignore_ascii_case("application/json"));
    media_type
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

/// All of a body, within its bounds of size and time.
pub(crate) async fn receive(
    headers: &HeaderMap,
    body: axum::body::Body,
    settings: &ApiSettings,
) -> Result<Bytes, BodyError> {
    let most = settings.max_body_bytes;
    let too_large = || BodyError::TooLarge(format!("at most {most} bytes are allowed"));
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let body = axum::body::to_bytes(body, most);
    match tokio::time::timeout(settings.body_timeout, body).await {
        Err(_) => Err(BodyError::Slow),
        Ok(Ok(bytes)) => Ok(bytes),
        // Apart from the bound, reading fails only if the client goes away, who then reads no answer.
        Ok(Err(_)) => Err(too_large()),
    }
}

fn parse<T: FromJson>(bytes: &[u8], settings: &ApiSettings) -> Result<T, BodyError> {
    let malformed = |pointer: &str, message: String| {
        let mut problems = Problems::default();
        problems.add(pointer, message);
        problems.or(()).map_err(BodyError::Malformed)
    };
    let depth = settings.max_json_depth;
    if is_deeper_than(depth, bytes) {
        malformed("", format!("nested deeper than {depth} levels"))?;
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let pointer = find_bad_text(bytes).unwrap_or_default();
        malformed(&pointer, format!("not UTF-8 at byte {} of the body", error.valid_up_to()))?;
    }
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            malformed("", format!("not JSON: {error}"))?;
            Value::Null
        }
    };
    let mut problems = Problems::default();
    let read = T::from_json(value, settings, &mut problems);
    problems.or(read).map_err(BodyError::Invalid)
}

/// Whether brackets nest deeper than `most`, without recursion and before anything is built of them.
fn is_deeper_than(most: usize, json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The pointer of the first text that holds bytes which are no UTF-8, so that the answer can name the field.
fn find_bad_text(bytes: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_str(&String::from_utf8_lossy(bytes)).ok()?;
    let mut open = vec![(String::new(), &value)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::String(text) if text.contains(char::REPLACEMENT_CHARACTER) => return Some(pointer),
            Value::Array(elements) => {
                open.extend(elements.iter().enumerate().map(|(index, e)| (format!("{pointer}/{index}"), e)));
            }
            Value::Object(fields) => {
                open.extend(fields.iter().map(|(name, field)| (super::pointer(&pointer, name), field)));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_texts_only() {
        assert!(!is_deeper_than(2, br#"{"a":["[[[[{{{{ \" [["]}"#));
        assert!(is_deeper_than(2, br#"{"a":[[]]}"#));
        assert!(!is_deeper_than(1, b"[][][]"));
    }

    #[test]
    fn json_may_name_its_encoding_if_it_is_utf_8() {
        for (given, json) in [
            ("application/json", true),
            ("Application/JSON; charset=\"UTF-8\"", true),
            ("application/json;charset=latin1", false),
            ("text/plain", false),
            ("application/jsonx", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, given.parse().unwrap())]);
            assert_eq!(is_json(&headers), json, "{given}");
        }
    }
}
