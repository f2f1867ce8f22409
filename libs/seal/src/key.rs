use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    aead::{AES_256_GCM, LessSafeKey, UnboundKey},
    digest::{SHA256, digest},
};
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

/// Why a text is no key. It does not hold the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the base64 of 32 random bytes, as `openssl rand -base64 32` makes it")]
pub struct KeyError;

/// What everything else is sealed with: 32 random bytes.
pub struct MasterKey {
    cipher: LessSafeKey,
    mark: KeyMark,
}

/// What a key is known again by. It says nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyMark(pub(crate) [u8; Self::LENGTH]);

impl KeyMark {
    pub(crate) const LENGTH: usize = 4;

    fn of(bytes: &[u8; MasterKey::LENGTH]) -> Self {
        let named = Zeroizing::new([b"buildwright seal".as_slice(), bytes].concat());
        let mut mark = [0; Self::LENGTH];
        mark.iter_mut().zip(digest(&SHA256, &named).as_ref()).for_each(|(to, from)| *to = *from);
        Self(mark)
    }
}

impl MasterKey {
    /// The bytes of a key.
    pub const LENGTH: usize = 32;

    /// A key. The bytes must come from a generator that is fit for keys.
    ///
    /// # Panics
    /// Never: a key of the cipher has this length.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the length is a matter of types")]
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("32 bytes");
        Self { cipher: LessSafeKey::new(key), mark: KeyMark::of(bytes) }
    }

    pub(crate) fn cipher(&self) -> &LessSafeKey {
        &self.cipher
    }

    pub(crate) fn mark(&self) -> KeyMark {
        self.mark
    }
}

impl FromStr for MasterKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.trim()).map_err(|_| KeyError)?);
        let bytes: &[u8; Self::LENGTH] = bytes.as_slice().try_into().map_err(|_| KeyError)?;
        Ok(Self::from_bytes(bytes))
    }
}

/// Nothing of the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_base64_of_32_bytes() {
        for (length, fits) in [(31, false), (32, true), (33, false), (0, false)] {
            let text = format!("{}\n", BASE64_STANDARD.encode(vec![9; length]));
            assert_eq!(text.parse::<MasterKey>().is_ok(), fits, "{length}");
        }
        assert!("a pass phrase, but no key at all".parse::<MasterKey>().is_err());
    }
}
