//! Sealing of what is kept: AES-256-GCM under a key that can be changed.
//!
//! A sealed text names the key it was sealed with, so that texts of an older key can still be opened; and it is bound
//! to what it belongs to, so that it cannot be put in another's place. Chance comes from the caller.
//!
//! ```
//! use buildwright_seal::{MasterKey, Seal};
//!
//! let key: MasterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".parse()?;
//! let seal = Seal::new(key);
//! let sealed = seal.seal(b"whk_1", b"a secret", [7; 12])?;
//! assert_eq!(*seal.open(b"whk_1", &sealed)?, b"a secret");
//! assert!(seal.open(b"whk_2", &sealed).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod key;

pub use key::{KeyError, MasterKey};

use key::KeyMark;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use zeroize::Zeroizing;

/// The first byte of what is sealed: which form it has.
const FORM: u8 = 1;
const HEAD: usize = 1 + KeyMark::LENGTH + NONCE_LEN;

/// Why something cannot be sealed: it is larger than the cipher allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too large to be sealed")]
pub struct TooLarge;

/// Why something cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was not sealed here, or by a newer version.
    #[error("not of a form that is known")]
    Form,
    /// It was sealed with a key that is not there.
    #[error("sealed with another key than those given")]
    UnknownKey,
    /// It was changed, or belongs to something else.
    #[error("damaged, or sealed for something else")]
    Broken,
}

/// Seals with one key, and opens what was sealed with it or with keys before it.
#[derive(Debug)]
pub struct Seal {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl Seal {
    /// Of one key.
    #[must_use]
    pub fn new(current: MasterKey) -> Self {
        Self { current, older: Vec::new() }
    }

    /// Opens what was sealed with this key, too.
    #[must_use]
    pub fn or(mut self, older: MasterKey) -> Self {
        self.older.push(older);
        self
    }

    /// Seals a text for `owner`. `nonce` must be chance, and never the same again.
    ///
    /// # Errors
    /// If the text is larger than the cipher allows: some gigabytes.
    pub fn seal(&self, owner: &[u8], text: &[u8], nonce: [u8; NONCE_LEN]) -> Result<Vec<u8>, TooLarge> {
        let mut sealed = Vec::with_capacity(HEAD + text.len() + 16);
        sealed.push(FORM);
        sealed.extend(self.current.mark().0);
        sealed.extend(nonce);
        let mut body = text.to_vec();
        self.current
            .cipher()
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(owner), &mut body)
            .map_err(|_| TooLarge)?;
        sealed.extend(body);
        Ok(sealed)
    }

    /// Opens what was sealed for `owner`.
    ///
    /// # Errors
    /// If it was not, or with a key that is not there.
    pub fn open(&self, owner: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (head, body) = sealed.split_at_checked(HEAD).ok_or(OpenError::Form)?;
        let (form, rest) = head.split_at_checked(1).ok_or(OpenError::Form)?;
        let (mark, nonce) = rest.split_at_checked(KeyMark::LENGTH).ok_or(OpenError::Form)?;
        if form != [FORM] {
            return Err(OpenError::Form);
        }
        let keys = std::iter::once(&self.current).chain(&self.older);
        let key = keys.into_iter().find(|key| key.mark().0 == mark).ok_or(OpenError::UnknownKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Form)?;
        let mut text = Zeroizing::new(body.to_vec());
        let length = key
            .cipher()
            .open_in_place(nonce, Aad::from(owner), &mut text)
            .map_err(|_| OpenError::Broken)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(byte: u8) -> Seal {
        Seal::new(MasterKey::from_bytes(&[byte; 32]))
    }

    #[test]
    fn what_is_sealed_is_opened_for_its_owner_only_and_shows_nothing() {
        let sealed = seal(1).seal(b"one", b"the secret", [3; 12]).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(*seal(1).open(b"one", &sealed).unwrap(), b"the secret");
        assert_eq!(seal(1).open(b"other", &sealed), Err(OpenError::Broken));
        assert_eq!(seal(2).open(b"one", &sealed), Err(OpenError::UnknownKey));
        assert_ne!(sealed, seal(1).seal(b"one", b"the secret", [4; 12]).unwrap());
    }

    #[test]
    fn a_key_can_be_changed_while_the_one_before_it_is_given_too() {
        let sealed = seal(1).seal(b"one", b"old", [3; 12]).unwrap();
        let both = seal(2).or(MasterKey::from_bytes(&[1; 32]));
        assert_eq!(*both.open(b"one", &sealed).unwrap(), b"old");
        let anew = both.seal(b"one", b"new", [3; 12]).unwrap();
        assert_eq!(*seal(2).open(b"one", &anew).unwrap(), b"new");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let sealed = seal(1).seal(b"one", b"text", [3; 12]).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(seal(1).open(b"one", &changed).is_err(), "byte {at}");
            assert!(seal(1).open(b"one", &sealed[..at]).is_err(), "cut at {at}");
        }
    }
}
