//! What only the sender may know of an endpoint.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};
use webhooks::{PrivateKey, PublicKey, Secret};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Everything that is sealed of an endpoint. It does not show in debug output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The secrets that messages are signed with, the newest first.
    pub signing: Vec<SigningSecret>,
    /// The text of the key for ed25519 signatures, if there are to be some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ed25519: Option<String>,
    /// The endpoint's own headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A secret that messages are signed with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningSecret {
    /// Its text: `whsec_…`.
    pub secret: String,
    /// Until when, if another has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

impl Contents {
    /// With one secret, and headers.
    #[must_use]
    pub fn new(secret: &Secret, headers: BTreeMap<String, String>) -> Self {
        let signing = vec![SigningSecret::new(secret)];
        Self { signing, ed25519: None, headers }
    }

    /// The secrets that are valid at a time, the newest first, each with its end.
    pub fn secrets(&self, now: DateTime<Utc>) -> impl Iterator<Item = (Secret, Option<DateTime<Utc>>)> {
        let valid = self.signing.iter().filter(move |signing| signing.is_valid(now));
        valid.filter_map(|signing| Some((signing.secret.parse().ok()?, signing.valid_until)))
    }

    /// The key for ed25519 signatures.
    #[must_use]
    pub fn private_key(&self) -> Option<PrivateKey> {
        self.ed25519.as_deref()?.parse().ok()
    }

    /// What receivers verify ed25519 signatures with.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        self.private_key().map(|key| key.public())
    }

    /// Puts a new secret before those that are there, which stay valid until a time. Forgets those whose time is over.
    pub(crate) fn rotate(&mut self, secret: &Secret, old_valid_until: DateTime<Utc>, now: DateTime<Utc>) {
        self.signing.retain(|signing| signing.is_valid(now));
        for old in &mut self.signing {
            old.valid_until = Some(old.valid_until.map_or(old_valid_until, |end| end.min(old_valid_until)));
        }
        self.signing.retain(|signing| signing.is_valid(now));
        self.signing.insert(0, SigningSecret::new(secret));
    }
}

impl SigningSecret {
    fn new(secret: &Secret) -> Self {
        Self { secret: secret.reveal().to_string(), valid_until: None }
    }

    pub(crate) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.valid_until.is_none_or(|end| now < end)
    }
}

/// How much there is.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contents({} secrets, {} headers)", self.signing.len(), self.headers.len())
    }
}

/// Its end only.
impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecret(until {:?})", self.valid_until)
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        self.signing.iter_mut().for_each(|signing| signing.secret.zeroize());
        self.ed25519.zeroize();
        self.headers.values_mut().for_each(Zeroize::zeroize);
    }
}

impl ZeroizeOnDrop for Contents {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    fn secret(n: u8) -> Secret {
        Secret::from_bytes([n; 32])
    }

    fn valid(contents: &Contents, second: i64) -> Vec<String> {
        contents.secrets(at(second)).map(|(secret, _)| secret.reveal().to_string()).collect()
    }

    #[test]
    fn an_old_secret_is_valid_beside_the_new_one_until_its_time_is_over() {
        let mut contents = Contents::new(&secret(1), BTreeMap::new());
        contents.rotate(&secret(2), at(100), at(0));
        let (one, two) = (secret(1).reveal().to_string(), secret(2).reveal().to_string());
        assert_eq!(valid(&contents, 99), [two.clone(), one]);
        assert_eq!(valid(&contents, 100), [two]);
    }

    #[test]
    fn rotating_again_never_lengthens_the_life_of_an_old_secret() {
        let mut contents = Contents::new(&secret(1), BTreeMap::new());
        contents.rotate(&secret(2), at(100), at(0));
        contents.rotate(&secret(3), at(500), at(50));
        assert_eq!(valid(&contents, 99).len(), 3);
        assert_eq!(valid(&contents, 100).len(), 2);
        contents.rotate(&secret(4), at(600), at(600));
        assert_eq!(contents.signing.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn nothing_secret_shows() {
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer abc".to_owned())]);
        let shown = format!("{:?}", Contents::new(&secret(1), headers));
        assert_eq!(shown, "Contents(1 secrets, 1 headers)");
    }
}
