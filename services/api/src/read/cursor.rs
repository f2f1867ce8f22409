//! The cursor of a list: opaque to clients, so that it can change.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::BuildId;

/// The cursor of the page after this build.
pub(crate) fn encode_cursor(last: BuildId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last.to_string())
}

/// The build that a cursor stands for.
pub(crate) fn decode_cursor(text: &str) -> Option<BuildId> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?.parse().ok()
}
