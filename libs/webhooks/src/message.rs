use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// Why a text is no [`MessageId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageIdError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`MessageId::MAX_BYTES`].
    #[error("must have at most {max} bytes, not {0}", max = MessageId::MAX_BYTES)]
    TooLong(usize),
    /// Only visible ASCII fits into a header, and a full stop would blur what is signed.
    #[error("must be visible ASCII without a full stop, not {0:?}")]
    Character(char),
}

/// The identity of a message, the same in every attempt to deliver it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// The longest id, in bytes.
    pub const MAX_BYTES: usize = 256;

    /// As it stands in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        if text.is_empty() {
            return Err(MessageIdError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(MessageIdError::TooLong(text.len()));
        }
        if let Some(other) = text.chars().find(|&character| !character.is_ascii_graphic() || character == '.')
        {
            return Err(MessageIdError::Character(other));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The time since 1970, of which all time stamps are made; what was before counts as 1970.
pub(crate) fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_fits_into_a_header_and_into_what_is_signed() {
        assert!("evt_01H_7".parse::<MessageId>().is_ok());
        for (text, why) in [
            ("", MessageIdError::Empty),
            ("a.b", MessageIdError::Character('.')),
            ("a b", MessageIdError::Character(' ')),
            ("a\r\n", MessageIdError::Character('\r')),
            ("ä", MessageIdError::Character('ä')),
            (&"x".repeat(257), MessageIdError::TooLong(257)),
        ] {
            assert_eq!(text.parse::<MessageId>(), Err(why), "{text:?}");
        }
    }
}
