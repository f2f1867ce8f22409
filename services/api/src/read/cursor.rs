//! The cursor of a list: opaque to clients, so that it can change.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::{fmt::Display, str::FromStr};

/// The cursor of the page after what has this id.
pub(crate) fn encode_cursor(last: impl Display) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(last.to_string())
}

/// The id that a cursor stands for.
pub(crate) fn decode_cursor<T: FromStr>(text: &str) -> Option<T> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?.parse().ok()
}
