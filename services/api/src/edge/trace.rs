//! W3C Trace Context: a request belongs to the trace that its client names, or to one of its own.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use tower_http::request_id::{MakeRequestId, MakeRequestUuid};

/// The header, of requests and of answers.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The place of a request in its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The trace: 32 hexadecimal digits.
    pub(crate) id: String,
    /// The span of its client, if it named one: 16 digits.
    pub(crate) parent: Option<String>,
    /// Our span: 16 digits.
    pub(crate) span: String,
    flags: u8,
}

/// Gives a request its place in a trace, and tells it in the answer.
pub(crate) async fn join(mut request: Request, next: Next) -> Response {
    let Some(trace) = Trace::of(&request) else { return next.run(request).await };
    let header = HeaderValue::try_from(trace.to_string());
    request.extensions_mut().insert(trace);
    let mut response = next.run(request).await;
    if let Ok(value) = header {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    response
}

impl Trace {
    fn of(request: &Request) -> Option<Self> {
        let span = random_digits(request)?.split_off(16);
        Some(match given(request.headers()) {
            Some((id, parent, flags)) => Self { id, parent: Some(parent), span, flags },
            None => Self { id: random_digits(request)?, parent: None, span, flags: 0 },
        })
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.id, self.span, self.flags)
    }
}

/// The digits of a random UUID, in whose latter half one is never 0.
fn random_digits(request: &Request) -> Option<String> {
    let id = MakeRequestUuid.make_request_id(request)?;
    let digits: String = id.header_value().to_str().ok()?.chars().filter(|c| *c != '-').collect();
    (digits.len() == 32).then_some(digits)
}

/// What the client says: trace, span and flags. What does not fit counts as nothing.
fn given(headers: &HeaderMap) -> Option<(String, String, u8)> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let text = values.next()?.to_str().ok()?.trim();
    if values.next().is_some() {
        return None;
    }
    let mut parts = text.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may say more behind it.
    let complete = version != "00" || parts.next().is_none();
    let fits =
        is_hex(version, 2) && version != "ff" && is_hex(id, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    let named = id.contains(|c| c != '0') && parent.contains(|c| c != '0');
    // Of the flags the one that is defined, "sampled", is handed on.
    let flags = u8::from_str_radix(flags, 16).ok()? & 1;
    (complete && fits && named).then(|| (id.to_owned(), parent.to_owned(), flags))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn read(text: &str) -> Option<(String, String, u8)> {
        given(&HeaderMap::from_iter([(TRACEPARENT, text.parse().unwrap())]))
    }

    #[test]
    fn a_trace_is_read_as_its_client_wrote_it() {
        let wanted = |flags| Some((TRACE.to_owned(), PARENT.to_owned(), flags));
        assert_eq!(read(&format!("00-{TRACE}-{PARENT}-01")), wanted(1));
        assert_eq!(read(&format!("00-{TRACE}-{PARENT}-00")), wanted(0));
        assert_eq!(read(&format!("cc-{TRACE}-{PARENT}-09-what-comes")), wanted(1), "of a later version");
    }

    #[test]
    fn what_is_malformed_counts_as_nothing() {
        let upper = TRACE.to_uppercase();
        let (no_trace, no_parent) = ("0".repeat(32), "0".repeat(16));
        for text in [
            "",
            "00",
            &format!("00-{TRACE}-{PARENT}"),
            &format!("00-{TRACE}-{PARENT}-01-more"),
            &format!("ff-{TRACE}-{PARENT}-01"),
            &format!("00-{upper}-{PARENT}-01"),
            &format!("00-{no_trace}-{PARENT}-01"),
            &format!("00-{TRACE}-{no_parent}-01"),
            &format!("00-{TRACE}-{PARENT}-1"),
            &format!("00-{TRACE}0-{PARENT}-01"),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
