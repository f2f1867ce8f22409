//! API keys by name; never the secret itself.

use crate::text::text;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use ulid::Ulid;

/// Why a text names no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key id: key_ and 26 letters and digits")]
pub struct KeyIdError;

/// An API key: `key_` and 26 characters of ULID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Ulid);

impl KeyId {
    /// Wraps a ULID made at the edge.
    #[must_use]
    pub fn new(id: Ulid) -> Self {
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key_{}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let ulid = text.strip_prefix("key_").ok_or(KeyIdError)?;
        Ulid::from_string(ulid).map(Self).map_err(|_| KeyIdError)
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyIdError;

    fn try_from(text: String) -> Result<Self, KeyIdError> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// Why a text is no name for an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {max} characters, none of them a control character", max = KeyName::MAX_CHARS)]
pub struct KeyNameError;

text! {
    /// What people call an API key, such as `ci of the shop`.
    KeyName, KeyNameError, check_name
}

impl KeyName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 100;
}

fn check_name(text: String) -> Result<String, KeyNameError> {
    let fits = !text.trim().is_empty() && text.chars().count() <= KeyName::MAX_CHARS;
    if fits && !text.chars().any(char::is_control) { Ok(text) } else { Err(KeyNameError) }
}

text! {
    /// The beginning of an API key, by which people and the store know it: 8 of `a-z` and `0-9`.
    KeyPrefix, KeyPrefixError, check_prefix
}

/// Why a text is not the beginning of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {length} of `a-z` and `0-9`", length = KeyPrefix::LENGTH)]
pub struct KeyPrefixError;

impl KeyPrefix {
    /// The length of every prefix.
    pub const LENGTH: usize = 8;

    /// A prefix made of chance.
    #[must_use]
    pub fn from_random(bytes: &[u8; Self::LENGTH]) -> Self {
        // Without `l`, `o`, `0` and `1`, which people mistake for one another.
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        Self(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
    }
}

fn check_prefix(text: String) -> Result<String, KeyPrefixError> {
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if plain && text.len() == KeyPrefix::LENGTH { Ok(text) } else { Err(KeyPrefixError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let id = KeyId::new(Ulid(0x0191_2345_6789_abcd_ef01_2345_6789_abcd));
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "key_", "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV", "key_01ARZ3NDEKTSV4RRFFQ69G5FA"] {
            assert_eq!(text.parse::<KeyId>(), Err(KeyIdError), "{text}");
        }
    }

    #[test]
    fn a_name_is_a_short_line() {
        assert!("ci of the shop".parse::<KeyName>().is_ok());
        let long = "x".repeat(101);
        for text in ["", "  ", "a\nb", &long] {
            assert!(text.parse::<KeyName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_prefix_has_eight_plain_characters() {
        assert!("ab12cd34".parse::<KeyPrefix>().is_ok());
        for text in ["", "ab12cd3", "ab12cd345", "AB12CD34", "ab12_d34"] {
            assert!(text.parse::<KeyPrefix>().is_err(), "{text:?}");
        }
    }
}
