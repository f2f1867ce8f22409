//! Entity tags: the version of the build's stream.

use http::{HeaderMap, HeaderValue, header};
use ports::Version;

/// The entity tag of a version.
pub(crate) fn etag(version: Version) -> HeaderValue {
    // A quoted number is always a header value.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// Whether the client says that it has this version. The comparison is the weak one that RFC 9110 asks for.
pub(crate) fn is_current(headers: &HeaderMap, version: Version) -> bool {
    let wanted = format!("\"{version}\"");
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == wanted)
}
