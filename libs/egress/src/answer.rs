use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status, redirects among them.
    pub status: StatusCode,
    /// The first headers, without cookies; bytes that are no text are replaced.
    pub headers: Vec<(String, String)>,
    /// The value of `Retry-After`, also when it is not among the first headers.
    pub retry_after: Option<String>,
    /// The beginning of the body.
    pub body: Body,
    /// How long all of it took.
    pub latency: Duration,
}

/// The beginning of a body, which was neither unpacked nor decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// At most as much as is kept.
    pub bytes: Bytes,
    /// Whether there was more.
    pub end: BodyEnd,
}

/// Where what was kept of a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// Where the body ends.
    Complete,
    /// Where no more is kept. The rest was not waited for.
    Cut,
}

/// Cookies are somebody's passwords.
const WITHHELD: [header::HeaderName; 1] = [header::SET_COOKIE];

/// As many of the headers as fit.
pub(crate) fn first_headers(headers: &HeaderMap, max_bytes: usize) -> Vec<(String, String)> {
    let mut left = max_bytes;
    let shown = headers.iter().filter(|(name, _)| !WITHHELD.contains(name));
    let texts =
        shown.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    texts
        .take_while(|(name, value)| {
            let rest = left.checked_sub(name.len() + value.len());
            left = rest.unwrap_or(left);
            rest.is_some()
        })
        .collect()
}

/// As much of the body as fits. What is left of it is not read: the connection ends with `response`.
pub(crate) async fn beginning(response: &mut reqwest::Response, max_bytes: usize) -> reqwest::Result<Body> {
    let mut kept = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = max_bytes - kept.len();
        if chunk.len() > room {
            kept.extend_from_slice(&chunk[..room]);
            return Ok(Body { bytes: kept.freeze(), end: BodyEnd::Cut });
        }
        kept.extend_from_slice(&chunk);
    }
    Ok(Body { bytes: kept.freeze(), end: BodyEnd::Complete })
}
