//! API keys and who stands behind a request.
//!
//! A key is 32 bytes of chance, so what is kept of it is a plain SHA-256: there is nothing to guess that a slow
//! hash would protect, and every request pays for the hash.

use crate::StoreError;
use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use names::{KeyId, KeyName, KeyPrefix, Scopes, TenantName};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::{fmt, num::NonZeroU32, str::FromStr, sync::Arc};

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its name in the metadata of events: the id of its key, or `local`.
    pub actor: Arc<str>,
    /// Whose builds it works with. It sees no others.
    pub tenant: TenantName,
    /// What it may do.
    pub scopes: Scopes,
    /// Its key, if it has one.
    pub key: Option<KeyId>,
    /// How much it may do.
    pub limits: KeyLimits,
}

/// How much a principal may do; without bound where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyLimits {
    /// Most requests within a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Most builds that have not ended, at the same time.
    pub open_builds: Option<NonZeroU32>,
}

/// The text of a key, as clients send it: `bw_`, the prefix, `_` and 43 characters that stand for 32 bytes.
#[derive(Clone)]
pub struct KeyText {
    prefix: KeyPrefix,
    text: SecretString,
}

/// Why a text is no API key. It does not hold the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key: bw_, 8 letters and digits, _ and 43 characters")]
pub struct KeyTextError;

impl KeyText {
    /// How every key begins.
    pub const START: &str = "bw_";
    const SECRET_LENGTH: usize = 43;

    /// A new key, made of chance: 8 bytes become the prefix, 32 the secret.
    #[must_use]
    pub fn from_random(for_prefix: &[u8; KeyPrefix::LENGTH], for_secret: &[u8; 32]) -> Self {
        let prefix = KeyPrefix::from_random(for_prefix);
        let text = format!("{}{prefix}_{}", Self::START, BASE64_URL_SAFE_NO_PAD.encode(for_secret));
        Self { prefix, text: text.into() }
    }

    /// The whole text, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// The part that may be seen.
    #[must_use]
    pub fn prefix(&self) -> &KeyPrefix {
        &self.prefix
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest(Sha256::digest(self.expose()).into())
    }
}

impl FromStr for KeyText {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        let (prefix, secret) =
            text.strip_prefix(Self::START).and_then(|rest| rest.split_once('_')).ok_or(KeyTextError)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if secret.len() != Self::SECRET_LENGTH || !secret.bytes().all(plain) {
            return Err(KeyTextError);
        }
        let prefix = prefix.parse().map_err(|_| KeyTextError)?;
        Ok(Self { prefix, text: text.into() })
    }
}

/// The prefix only.
impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({}{}_…)", Self::START, self.prefix)
    }
}

/// The SHA-256 of a key's text.
#[derive(Clone, Copy)]
pub struct KeyDigest(pub [u8; 32]);

impl PartialEq for KeyDigest {
    /// Takes the same time wherever the first difference is.
    fn eq(&self, other: &Self) -> bool {
        let differences =
            self.0.iter().zip(&other.0).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        differences == 0
    }
}

impl Eq for KeyDigest {}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Which one.
    pub id: KeyId,
    /// How its text begins.
    pub prefix: KeyPrefix,
    /// By which its text is known again.
    pub digest: KeyDigest,
    /// What people call it.
    pub name: KeyName,
    /// Whose it is.
    pub tenant: TenantName,
    /// What it allows.
    pub scopes: Scopes,
    /// How much it allows.
    pub limits: KeyLimits,
    /// When it was made, and by whom.
    pub created: KeyChange,
    /// When it stops being valid by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked, and by whom.
    pub revoked: Option<KeyChange>,
    /// About when it was used last: uses are noted once a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Something that was done to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// When.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub by: Arc<str>,
}

/// Whether a key can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It can.
    Usable,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
}

impl ApiKey {
    /// Whether it can be used at a time.
    #[must_use]
    pub fn state(&self, now: DateTime<Utc>) -> KeyState {
        if self.revoked.is_some() {
            KeyState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            KeyState::Expired
        } else {
            KeyState::Usable
        }
    }

    /// Who uses it.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal {
            actor: self.id.to_string().into(),
            tenant: self.tenant.clone(),
            scopes: self.scopes,
            key: Some(self.id),
            limits: self.limits,
        }
    }
}

/// Which keys to list.
#[derive(Debug, Clone)]
pub struct KeyFilter {
    /// Only of this tenant; of all if none.
    pub tenant: Option<TenantName>,
    /// Only keys made before this one: where the page before ended.
    pub before: Option<KeyId>,
    /// Most keys.
    pub limit: usize,
}

/// A page of a list, newest key first.
#[derive(Debug, Clone, Default)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<ApiKey>,
    /// Whether older ones follow.
    pub more: bool,
}

/// What became of a key that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is stored.
    Stored,
    /// Another key begins like it: nothing is stored, and a new one can be made.
    PrefixTaken,
}

/// The keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Stores a new key.
    ///
    /// # Errors
    /// The store's failure; nothing is stored then.
    async fn create_key(&self, key: &ApiKey) -> Result<Created, StoreError>;

    /// The key that begins so, whatever its state. Whether a text is the key, its digest tells.
    ///
    /// # Errors
    /// The store's failure.
    async fn find_key(&self, prefix: &KeyPrefix) -> Result<Option<ApiKey>, StoreError>;

    /// A page of keys, revoked and expired ones too.
    ///
    /// # Errors
    /// The store's failure.
    async fn keys(&self, filter: &KeyFilter) -> Result<KeyPage, StoreError>;

    /// Revokes a key for good, and answers how it stands then. A key that was revoked before keeps what is known
    /// of that.
    ///
    /// # Errors
    /// The store's failure.
    async fn revoke_key(&self, id: KeyId, change: &KeyChange) -> Result<Option<ApiKey>, StoreError>;

    /// Notes when keys were used. An older time than the one that is known changes nothing.
    ///
    /// # Errors
    /// The store's failure.
    async fn note_used(&self, uses: &[(KeyId, DateTime<Utc>)]) -> Result<(), StoreError>;

    /// Whether any key can be used at a time.
    ///
    /// # Errors
    /// The store's failure.
    async fn any_usable_key(&self, now: DateTime<Utc>) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_shows_its_prefix_only() {
        let key = KeyText::from_random(&[0, 1, 2, 3, 31, 32, 33, 255], &[0xfb; 32]);
        let text = key.expose().to_owned();
        assert_eq!(text.len(), 55);
        assert!(text.starts_with("bw_abcd9ab9_"), "{text}");
        let read: KeyText = text.parse().unwrap();
        assert_eq!(read.prefix(), key.prefix());
        assert_eq!(read.digest(), key.digest());
        assert_eq!(format!("{key:?} {:?}", key.digest()), "KeyText(bw_abcd9ab9_…) KeyDigest(…)");
    }

    #[test]
    fn other_keys_have_other_digests() {
        let one = KeyText::from_random(&[0; 8], &[1; 32]);
        assert_ne!(one.digest(), KeyText::from_random(&[0; 8], &[2; 32]).digest());
        let mut almost = one.digest();
        almost.0[31] ^= 1;
        assert_ne!(one.digest(), almost);
    }

    #[test]
    fn foreign_text_is_no_key() {
        let secret = "x".repeat(43);
        assert!(format!("bw_ab12cd34_{secret}").parse::<KeyText>().is_ok());
        for text in [
            String::new(),
            secret.clone(),
            format!("bw_ab12cd34{secret}"),
            format!("bw_ab12cd34_{secret}x"),
            format!("bw_AB12CD34_{secret}"),
            format!("BW_ab12cd34_{secret}"),
            format!("bw_ab12cd34_{}\n", "x".repeat(42)),
            format!("bw_ab12cd34_{}", "ä".repeat(43)),
        ] {
            assert!(text.parse::<KeyText>().is_err(), "{text:?}");
        }
    }
}
