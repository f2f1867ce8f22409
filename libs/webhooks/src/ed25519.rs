use std::fmt;
use std::str::FromStr;

use base64::Engine;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::secret::BASE64;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It doesn't begin as it should.
    #[error("must begin with `{0}`")]
    Prefix(&'static str),
    /// What follows the prefix can't be decoded.
    #[error("must be base64 after the prefix")]
    NotBase64,
    /// Of another length than such keys have.
    #[error("a key doesn't have {0} bytes")]
    Length(usize),
    /// The bytes are no key.
    #[error("is no ed25519 key, or its halves don't belong together")]
    Invalid,
}

/// The sender's key: `whsk_` and base64 of the seed, followed by the public key or not.
#[derive(Clone)]
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// What the text of such a key begins with.
    pub const PREFIX: &'static str = "whsk_";

    /// A new key. The bytes must come from a generator that is fit for keys.
    #[must_use]
    pub fn from_seed(random: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&random))
    }

    /// The text to keep under lock: seed and public key.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(self.0.to_keypair_bytes());
        let encoded = Zeroizing::new(BASE64.encode(pair.as_slice()));
        Zeroizing::new([Self::PREFIX, encoded.as_str()].concat())
    }

    /// What receivers verify with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, content: &[u8]) -> [u8; 64] {
        self.0.sign(content).to_bytes()
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text, Self::PREFIX)?;
        if let Ok(pair) = <&[u8; 64]>::try_from(bytes.as_slice()) {
            return SigningKey::from_keypair_bytes(pair).map(Self).map_err(|_| KeyError::Invalid);
        }
        let seed = <&[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Length(bytes.len()))?;
        Ok(Self(SigningKey::from_bytes(seed)))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// The receiver's key: `whpk_` and base64 of 32 bytes. Everybody may know it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// What the text of such a key begins with.
    pub const PREFIX: &'static str = "whpk_";

    pub(crate) fn matches(&self, content: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(content, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = decode(text, Self::PREFIX)?;
        let point = <&[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError::Length(bytes.len()))?;
        VerifyingKey::from_bytes(point).map(Self).map_err(|_| KeyError::Invalid)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, BASE64.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn decode(text: &str, prefix: &'static str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let encoded = text.strip_prefix(prefix).ok_or(KeyError::Prefix(prefix))?;
    BASE64.decode(encoded).map(Zeroizing::new).map_err(|_| KeyError::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_read_with_and_without_its_public_half() {
        let key = PrivateKey::from_seed([3; 32]);
        let seed_only = format!("whsk_{}", BASE64.encode([3; 32]));
        for text in [key.reveal().as_str(), &seed_only] {
            assert_eq!(text.parse::<PrivateKey>().map(|key| key.public()), Ok(key.public()));
        }
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    }

    #[test]
    fn halves_that_do_not_belong_together_are_refused() {
        let mut pair = [4; 64];
        pair[32..].copy_from_slice(PrivateKey::from_seed([5; 32]).public().0.as_bytes());
        let text = format!("whsk_{}", BASE64.encode(pair));
        assert_eq!(text.parse::<PrivateKey>().err(), Some(KeyError::Invalid));
    }

    #[test]
    fn a_key_of_another_kind_is_told_from_a_broken_one() {
        let key = PrivateKey::from_seed([3; 32]);
        assert_eq!(key.reveal().parse::<PublicKey>(), Err(KeyError::Prefix("whpk_")));
        assert_eq!(key.public().to_string().parse::<PrivateKey>().err(), Some(KeyError::Prefix("whsk_")));
        assert_eq!("whpk_AAAA".parse::<PublicKey>(), Err(KeyError::Length(3)));
        assert_eq!("whpk_!".parse::<PublicKey>(), Err(KeyError::NotBase64));
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }
}
