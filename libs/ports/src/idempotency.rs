//! Requests that may come twice and must have their effect once: what a client's key stands for, and what was
//! answered under it.
//!
//! Whoever begins a request holds its key for a limited time. What the request is going to create has its id from
//! the beginning, kept with the key: so whoever takes the key over from a holder that died makes the same thing
//! again, not a second one.

use crate::StoreError;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use ulid::Ulid;

/// A key that a client gave, and where it counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Whose it is and on which route: the same text elsewhere is another key.
    pub scope: String,
    /// What the client calls it.
    pub key: String,
}

/// What a request says, as a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// A request about to be carried out.
#[derive(Debug, Clone)]
pub struct BeginRequest {
    /// The key it came under.
    pub key: IdempotencyKey,
    /// What it says.
    pub fingerprint: Fingerprint,
    /// A new id: the holder's, and that of what is created unless one is reserved already.
    pub proposed: Ulid,
    /// Now.
    pub now: DateTime<Utc>,
    /// Until when nobody else may take it over.
    pub held_until: DateTime<Utc>,
    /// Until when the key is kept.
    pub kept_until: DateTime<Utc>,
}

/// What is to be done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Carry it out: for the first time, or again for a holder that is gone.
    New {
        /// The id of what it creates.
        reserved: Ulid,
    },
    /// Somebody is at it.
    InFlight,
    /// It was answered.
    Replay(KeptAnswer),
    /// The key was given to a request that said something else.
    Mismatch,
}

/// The right to settle a request, of who began it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The key.
    pub key: IdempotencyKey,
    /// What the holder proposed.
    pub holder: Ulid,
}

/// An answer, to be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that matter, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known of a request that has no answer worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// It had no effect. If nobody had begun it before, its key is as good as new.
    WithoutEffect,
    /// It may have had one. The key stays bound to what was asked for, and to the reserved id.
    InDoubt,
}

/// The keys, for all replicas together.
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Decides what is to be done with a request, and makes the caller its holder if it is to be carried out. Of
    /// several who ask at once, one becomes the holder.
    ///
    /// # Errors
    /// The store's failure; the request must not be carried out then.
    async fn begin(&self, request: BeginRequest) -> Result<Begun, StoreError>;

    /// Keeps the answer, unless somebody else holds the key by now.
    ///
    /// # Errors
    /// The store's failure.
    async fn finish(
        &self,
        claim: &Claim,
        answer: KeptAnswer,
        kept_until: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Gives the request up, unless somebody else holds the key by now: it can be begun again at once.
    ///
    /// # Errors
    /// The store's failure; the key is free when its time is over.
    async fn abandon(&self, claim: &Claim, abandoned: Abandoned) -> Result<(), StoreError>;

    /// Removes up to so many keys that need not be kept any more, and tells how many they were.
    ///
    /// # Errors
    /// The store's failure.
    async fn prune(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError>;
}
