#![doc = include_str!("../README.md")]

mod custom_headers;
#[cfg(feature = "ed25519")]
mod ed25519;
mod event_glob;
mod mac;
mod message;
mod reply;
mod retry_after;
mod schedule;
mod secret;
mod sign;
mod simple;
mod verify;

pub use custom_headers::{CustomHeaders, HeaderProblem, HeaderRules};
#[cfg(feature = "ed25519")]
pub use ed25519::{KeyError, PrivateKey, PublicKey};
pub use event_glob::{EventFilter, EventGlob, GlobError};
pub use message::{MessageId, MessageIdError};
pub use reply::Reply;
pub use retry_after::retry_after;
pub use schedule::{Schedule, ScheduleError};
pub use secret::{Secret, SecretError};
pub use sign::{Headers, ID_HEADER, SIGNATURE_HEADER, Signer, SigningKey, TIMESTAMP_HEADER};
pub use simple::{
    SIMPLE_SIGNATURE_HEADER, SIMPLE_TIMESTAMP_HEADER, SimpleHeaders, SimpleKey, SimpleKeyError,
};
pub use verify::{Verified, Verifier, VerifyError, VerifyingKey};
