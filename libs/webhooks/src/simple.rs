use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use hmac::Mac;
use zeroize::Zeroizing;

use crate::mac;
use crate::message::since_1970;
use crate::secret::Secret;
use crate::verify::{VerifyError, number, same, timely};

/// HMAC-SHA256 of the body, in lower-case hex.
pub const SIMPLE_SIGNATURE_HEADER: &str = "x-webhook-signature";
/// When this attempt was made, in milliseconds since 1970. It is not signed.
pub const SIMPLE_TIMESTAMP_HEADER: &str = "x-webhook-timestamp";

/// Why a text is no [`SimpleKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SimpleKeyError {
    /// Too short to be safe, or longer than anybody pastes.
    #[error("must have {min} to {max} bytes, not {0}", min = SimpleKey::MIN_BYTES, max = SimpleKey::MAX_BYTES)]
    Length(usize),
}

/// The key of the simple scheme: the secret's text, as it is.
///
/// Receivers of simple schemes paste a secret into their settings and key the HMAC with that
/// text. So the key is the UTF-8 of the **whole** text, `whsec_` included and nothing decoded:
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use buildwright_webhooks::{Secret, SimpleKey};
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
/// let headers = SimpleKey::from(&secret).sign(at, br#"{"test": 2432232314}"#);
///
/// // printf '{"test": 2432232314}' | openssl dgst -sha256 -hmac whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
/// assert_eq!(headers.signature(), "80ec8a89ce3cd22133a1066caecb4d04fea7467657c8514d717ec42c38a5c94c");
/// assert_eq!(headers.timestamp(), "1614265330000");
/// # Ok::<(), buildwright_webhooks::SecretError>(())
/// ```
///
/// Since the time stamp is not signed, whoever has seen a message can send it again. Take the
/// simple scheme only where something exists that knows no other.
#[derive(Clone)]
pub struct SimpleKey(Zeroizing<String>);

impl SimpleKey {
    /// The fewest bytes of a key that a subscriber chose.
    pub const MIN_BYTES: usize = 16;
    /// The most bytes of a key.
    pub const MAX_BYTES: usize = 256;

    /// The headers of an attempt that is made at this time.
    #[must_use]
    pub fn sign(&self, at: SystemTime, body: &[u8]) -> SimpleHeaders {
        let tag = mac::over(self.0.as_bytes(), &[body]).finalize().into_bytes();
        SimpleHeaders { timestamp: since_1970(at).as_millis().to_string(), signature: hex::encode(tag) }
    }

    /// Whether the message is genuine, and its time stamp no further away than `tolerance`.
    /// `header` finds the value of a header by its name, which is given in lower case; `body` is
    /// the body as it came, byte for byte.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify<'h>(
        &self,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: SystemTime,
        tolerance: Duration,
    ) -> Result<(), VerifyError> {
        let required =
            |name| header(name).filter(|value| !value.is_empty()).ok_or(VerifyError::MissingHeader(name));
        let timestamp = required(SIMPLE_TIMESTAMP_HEADER)?;
        let signature = required(SIMPLE_SIGNATURE_HEADER)?;
        let sent = number(SIMPLE_TIMESTAMP_HEADER, timestamp).map(Duration::from_millis)?;
        timely(SIMPLE_TIMESTAMP_HEADER, sent, now, tolerance)?;
        let signature = hex::decode(signature).map_err(|_| VerifyError::NoMatchingSignature)?;
        let genuine = same(&mac::over(self.0.as_bytes(), &[body]), &signature);
        if genuine { Ok(()) } else { Err(VerifyError::NoMatchingSignature) }
    }
}

impl From<&Secret> for SimpleKey {
    fn from(secret: &Secret) -> Self {
        Self(secret.reveal())
    }
}

impl FromStr for SimpleKey {
    type Err = SimpleKeyError;

    /// Any text that a subscriber chose.
    fn from_str(text: &str) -> Result<Self, SimpleKeyError> {
        if !(Self::MIN_BYTES..=Self::MAX_BYTES).contains(&text.len()) {
            return Err(SimpleKeyError::Length(text.len()));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for SimpleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimpleKey(..)")
    }
}

/// The headers of a message in the simple scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleHeaders {
    signature: String,
    timestamp: String,
}

impl SimpleHeaders {
    /// The value of [`SIMPLE_SIGNATURE_HEADER`].
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The value of [`SIMPLE_TIMESTAMP_HEADER`].
    #[must_use]
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// Names and values.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, &str); 2] {
        [(SIMPLE_SIGNATURE_HEADER, &self.signature), (SIMPLE_TIMESTAMP_HEADER, &self.timestamp)]
    }
}
