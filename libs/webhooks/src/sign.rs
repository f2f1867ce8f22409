use std::time::SystemTime;

use base64::Engine;
use hmac::Mac;

#[cfg(feature = "ed25519")]
use crate::ed25519::PrivateKey;
use crate::mac;
use crate::message::{MessageId, since_1970};
use crate::secret::{BASE64, Secret};

/// Names the message, the same in every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// When this attempt was made, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The signatures, with a space between them.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// What a message is signed with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SigningKey {
    /// HMAC-SHA256, `v1`.
    Shared(Secret),
    /// Ed25519, `v1a`.
    #[cfg(feature = "ed25519")]
    Private(PrivateKey),
}

impl SigningKey {
    fn sign(&self, content: &[&[u8]]) -> String {
        match self {
            Self::Shared(secret) => {
                let tag = mac::over(secret.bytes(), content).finalize().into_bytes();
                format!("v1,{}", BASE64.encode(tag))
            }
            #[cfg(feature = "ed25519")]
            Self::Private(key) => format!("v1a,{}", BASE64.encode(key.sign(&content.concat()))),
        }
    }
}

impl From<Secret> for SigningKey {
    fn from(secret: Secret) -> Self {
        Self::Shared(secret)
    }
}

#[cfg(feature = "ed25519")]
impl From<PrivateKey> for SigningKey {
    fn from(key: PrivateKey) -> Self {
        Self::Private(key)
    }
}

/// Signs messages of one endpoint, with one key or, while keys are being changed, with several.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use buildwright_webhooks::{MessageId, Secret, Signer};
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let id: MessageId = "msg_p5jXN8AQM9LWM0D4loKWxJek".parse()?;
/// let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
///
/// let headers = Signer::new(secret).sign(&id, at, br#"{"test": 2432232314}"#);
/// assert_eq!(headers.signature(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Signer {
    keys: Vec<SigningKey>,
}

impl Signer {
    /// Signs with this key.
    #[must_use]
    pub fn new(key: impl Into<SigningKey>) -> Self {
        Self { keys: vec![key.into()] }
    }

    /// Signs with this key as well, the receiver may know either.
    #[must_use]
    pub fn and(mut self, key: impl Into<SigningKey>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// The headers of an attempt that is made at this time.
    #[must_use]
    pub fn sign(&self, id: &MessageId, at: SystemTime, body: &[u8]) -> Headers {
        let timestamp = since_1970(at).as_secs().to_string();
        let content = content(id.as_str(), &timestamp, body);
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(&content)).collect();
        Headers { id: id.as_str().to_owned(), timestamp, signature: signatures.join(" ") }
    }
}

/// What is signed, in pieces: id, time stamp and body with full stops between them.
pub(crate) fn content<'a>(id: &'a str, timestamp: &'a str, body: &'a [u8]) -> [&'a [u8]; 5] {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body]
}

/// The headers of a signed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    id: String,
    timestamp: String,
    signature: String,
}

impl Headers {
    /// The value of [`ID_HEADER`].
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The value of [`TIMESTAMP_HEADER`].
    #[must_use]
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// The value of [`SIGNATURE_HEADER`].
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Names and values.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, &str); 3] {
        [(ID_HEADER, &self.id), (TIMESTAMP_HEADER, &self.timestamp), (SIGNATURE_HEADER, &self.signature)]
    }
}
