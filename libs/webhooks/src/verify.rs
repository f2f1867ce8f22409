use std::time::{Duration, SystemTime};

use base64::Engine;
use hmac::Mac;

#[cfg(feature = "ed25519")]
use crate::ed25519::PublicKey;
use crate::mac::{self, HmacSha256};
use crate::message::since_1970;
use crate::secret::{BASE64, Secret};
use crate::sign::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, content};

/// Senders in the middle of a change of keys send two; whoever sends more wants us to calculate.
const MAX_SIGNATURES: usize = 16;

/// Why a message is not accepted. Answer 400 or 401, and do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header isn't there.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// The time stamp is no number.
    #[error("the header {0} is no time stamp")]
    MalformedTimestamp(&'static str),
    /// Sent too long ago: perhaps somebody repeats a message that they saw.
    #[error("the message is older than allowed: it says it was sent {0:?} ago")]
    TooOld(Duration),
    /// Sent in the future: a clock is wrong.
    #[error("the message says it was sent {0:?} from now: check the clocks")]
    TooNew(Duration),
    /// Not signed with any of the keys, or changed on the way.
    #[error(
        "no signature matches: check the secret, and that the body is verified as it came, before it is parsed"
    )]
    NoMatchingSignature,
}

/// What a receiver verifies with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum VerifyingKey {
    /// HMAC-SHA256, `v1`.
    Shared(Secret),
    /// Ed25519, `v1a`.
    #[cfg(feature = "ed25519")]
    Public(PublicKey),
}

impl From<Secret> for VerifyingKey {
    fn from(secret: Secret) -> Self {
        Self::Shared(secret)
    }
}

#[cfg(feature = "ed25519")]
impl From<PublicKey> for VerifyingKey {
    fn from(key: PublicKey) -> Self {
        Self::Public(key)
    }
}

/// A message whose signature matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'h> {
    /// The id of the message, the same in every attempt: do the work of an id once.
    pub id: &'h str,
    /// When this attempt was made.
    pub sent_at: SystemTime,
}

/// Verifies what an endpoint receives. For the simple scheme see [`crate::SimpleKey`].
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use buildwright_webhooks::{Secret, Verifier};
///
/// let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
/// let verifier = Verifier::new(secret);
///
/// let header = |name: &str| match name {
///     "webhook-id" => Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
///     "webhook-timestamp" => Some("1614265330"),
///     "webhook-signature" => Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
///     _ => None,
/// };
/// // In a server: SystemTime::now()
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_332);
///
/// let message = verifier.verify(header, br#"{"test": 2432232314}"#, now)?;
/// assert_eq!(message.id, "msg_p5jXN8AQM9LWM0D4loKWxJek");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Vec<VerifyingKey>,
    tolerance: Duration,
}

impl Verifier {
    /// How far the sender's clock may be away if nothing else is said.
    pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

    /// Accepts what is signed with this key.
    #[must_use]
    pub fn new(key: impl Into<VerifyingKey>) -> Self {
        Self { keys: vec![key.into()], tolerance: Self::TOLERANCE }
    }

    /// Accepts what is signed with this key, too.
    #[must_use]
    pub fn or(mut self, key: impl Into<VerifyingKey>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// How far the sender's clock may be away.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Whether the message is genuine. `header` finds the value of a header by its name, which is
    /// given in lower case; `body` is the body as it came, byte for byte.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify<'h>(
        &self,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<'h>, VerifyError> {
        let required =
            |name| header(name).filter(|value| !value.is_empty()).ok_or(VerifyError::MissingHeader(name));
        let (id, timestamp) = (required(ID_HEADER)?, required(TIMESTAMP_HEADER)?);
        let signatures = required(SIGNATURE_HEADER)?;

        let sent = number(TIMESTAMP_HEADER, timestamp).map(Duration::from_secs)?;
        let sent_at = timely(TIMESTAMP_HEADER, sent, now, self.tolerance)?;
        if self.matches(&content(id, timestamp, body), signatures) {
            Ok(Verified { id, sent_at })
        } else {
            Err(VerifyError::NoMatchingSignature)
        }
    }

    /// The same with the headers of a request.
    ///
    /// # Errors
    /// When the message is not genuine.
    #[cfg(feature = "http")]
    pub fn verify_request<'h>(
        &self,
        headers: &'h http::HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified<'h>, VerifyError> {
        self.verify(|name| headers.get(name)?.to_str().ok(), body, now)
    }

    fn matches(&self, content: &[&[u8]], signatures: &str) -> bool {
        let signatures: Vec<(&str, Vec<u8>)> =
            signatures.split(' ').filter_map(decode).take(MAX_SIGNATURES).collect();
        let of = |version| {
            signatures.iter().filter(move |(of, _)| *of == version).map(|(_, signature)| signature.as_slice())
        };
        self.keys.iter().any(|key| match key {
            VerifyingKey::Shared(secret) => {
                let mac = mac::over(secret.bytes(), content);
                of("v1").any(|signature| same(&mac, signature))
            }
            #[cfg(feature = "ed25519")]
            VerifyingKey::Public(key) => {
                let content = content.concat();
                of("v1a").any(|signature| key.matches(&content, signature))
            }
        })
    }
}

/// Compares in a time that doesn't tell how much of it matches.
pub(crate) fn same(mac: &HmacSha256, signature: &[u8]) -> bool {
    mac.clone().verify_slice(signature).is_ok()
}

fn decode(signature: &str) -> Option<(&str, Vec<u8>)> {
    let (version, encoded) = signature.split_once(',')?;
    Some((version, BASE64.decode(encoded).ok()?))
}

/// Digits and nothing else, so that there is one way to write a time.
pub(crate) fn number(header: &'static str, text: &str) -> Result<u64, VerifyError> {
    let malformed = VerifyError::MalformedTimestamp(header);
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed);
    }
    text.parse().map_err(|_| malformed)
}

pub(crate) fn timely(
    header: &'static str,
    sent: Duration,
    now: SystemTime,
    tolerance: Duration,
) -> Result<SystemTime, VerifyError> {
    let sent_at = SystemTime::UNIX_EPOCH.checked_add(sent).ok_or(VerifyError::MalformedTimestamp(header))?;
    let now = since_1970(now);
    let (age, lead) = (now.saturating_sub(sent), sent.saturating_sub(now));
    if age > tolerance {
        return Err(VerifyError::TooOld(age));
    }
    if lead > tolerance {
        return Err(VerifyError::TooNew(lead));
    }
    Ok(sent_at)
}
