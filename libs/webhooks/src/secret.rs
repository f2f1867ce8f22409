use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Padding is written, and not missed.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a text is no [`Secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// What follows the prefix can't be decoded.
    #[error("must be `whsec_` followed by base64")]
    NotBase64,
    /// Too short to be safe, or longer than the scheme has it.
    #[error("must hold {min} to {max} bytes, not {0}", min = Secret::MIN_BYTES, max = Secret::MAX_BYTES)]
    Length(usize),
}

/// A secret that sender and receiver share: `whsec_` and base64 of 24 to 64 random bytes.
///
/// It doesn't show in debug output; [`Secret::reveal`] is the one way to its text. Memory that
/// held it is overwritten.
///
/// ```
/// use buildwright_webhooks::Secret;
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// assert_eq!(*secret.reveal(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
/// # Ok::<(), buildwright_webhooks::SecretError>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// What the text of a secret begins with.
    pub const PREFIX: &'static str = "whsec_";
    /// The fewest bytes of a secret.
    pub const MIN_BYTES: usize = 24;
    /// The most bytes of a secret.
    pub const MAX_BYTES: usize = 64;

    /// A new secret. The bytes must come from a generator that is fit for keys.
    #[must_use]
    pub fn from_bytes(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random.to_vec()))
    }

    /// The text to show to the subscriber, and to keep under lock.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(BASE64.encode(self.bytes()));
        Zeroizing::new([Self::PREFIX, encoded.as_str()].concat())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    /// Takes the text with and without its prefix, as other libraries do.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(Self::PREFIX).unwrap_or(text);
        let bytes = Zeroizing::new(BASE64.decode(encoded).map_err(|_| SecretError::NotBase64)?);
        if !(Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_has_a_length_that_is_safe() {
        for (bytes, expected) in [
            (23, Err(SecretError::Length(23))),
            (24, Ok(())),
            (64, Ok(())),
            (65, Err(SecretError::Length(65))),
        ] {
            let text = format!("whsec_{}", BASE64.encode(vec![1; bytes]));
            assert_eq!(text.parse::<Secret>().map(|_| ()), expected, "{bytes}");
        }
    }

    #[test]
    fn what_is_no_base64_is_no_secret() {
        for text in
            ["whsec_", "", "whsec_???", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "pass phrase of a person!"]
        {
            assert!(text.parse::<Secret>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn missing_padding_and_a_missing_prefix_are_made_good() {
        let secret = Secret::from_bytes([9; 32]);
        let text = secret.reveal();
        for variant in [text.trim_end_matches('='), &text[Secret::PREFIX.len()..]] {
            let again: Secret = variant.parse().expect("a secret");
            assert_eq!(*again.reveal(), *text);
        }
    }

    proptest! {
        #[test]
        fn a_text_that_was_revealed_is_the_same_secret(bytes in any::<[u8; 32]>()) {
            let secret = Secret::from_bytes(bytes);
            let again: Secret = secret.reveal().parse().expect("a secret");
            prop_assert_eq!(again.bytes(), &bytes);
        }

        #[test]
        fn parsing_never_panics(text in "\\PC*") {
            let _ = text.parse::<Secret>();
        }
    }
}
