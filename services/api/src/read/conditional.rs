//! Entity tags: the version of the build's stream.

use crate::App;
use axum::extract::FromRequestParts;
use commands::Expected;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use ports::Version;
use std::convert::Infallible;

/// The entity tag of a version.
pub(crate) fn etag(version: Version) -> HeaderValue {
    // A quoted number is always a header value.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// Whether the client says that it has this version. The comparison is the weak one that RFC 9110 asks for.
pub(crate) fn is_current(headers: &HeaderMap, version: Version) -> bool {
    let wanted = format!("\"{version}\"");
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| has_tag(value, &wanted))
}

/// Whether a list of tags holds this one, be either of them weak.
pub(crate) fn has_tag(list: &HeaderValue, wanted: &str) -> bool {
    let strong = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let wanted = strong(wanted);
    tags(list).any(|tag| tag == "*" || strong(tag) == wanted)
}

fn tags(list: &HeaderValue) -> impl Iterator<Item = &str> {
    list.to_str().unwrap_or_default().split(',').map(str::trim)
}

/// The versions at which the client wants a change made, by `If-Match`. The comparison is the strong one: a tag
/// that is weak, or none of ours, fits no version.
pub(crate) struct IfMatch(pub(crate) Expected);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        let given = parts.headers.get_all(header::IF_MATCH);
        let all: Vec<&str> = given.iter().flat_map(tags).collect();
        if all.contains(&"*") || given.iter().next().is_none() {
            return Ok(Self(Expected::Any));
        }
        let version = |tag: &&str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok().map(Version);
        Ok(Self(Expected::OneOf(all.iter().filter_map(version).collect())))
    }
}
