//! Whether somebody who was let in would be let in still. Streams go on for longer than keys may.

use super::{access::Access, credential::Credential};
use chrono::{DateTime, Utc};
use names::KeyPrefix;
use ports::{KeyDigest, KeyState};

/// By what a request was let in. Among its extensions.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// By nothing that could be lost.
    Lasting,
    /// By a key, of which no more is kept than it takes to look it up.
    Key(KeyPrefix, KeyDigest),
}

/// Why a stream may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The key was revoked.
    Revoked,
    /// The key's time is over.
    Expired,
}

impl Standing {
    pub(super) fn of(credential: &Credential) -> Self {
        match credential {
            Credential::Key(text) => Self::Key(text.prefix().clone(), text.digest()),
            Credential::None | Credential::Unusable | Credential::InQuery => Self::Lasting,
        }
    }

    /// Looks again. While that cannot be found out, it holds: a store that is away gives nothing to follow either.
    pub(crate) async fn check(&self, access: &Access, now: DateTime<Utc>) -> Result<(), Lost> {
        let Self::Key(prefix, digest) = self else { return Ok(()) };
        match access.recheck(prefix, *digest, now).await {
            Ok(KeyState::Usable) => Ok(()),
            Ok(KeyState::Revoked) => Err(Lost::Revoked),
            Ok(KeyState::Expired) => Err(Lost::Expired),
            Err(error) => {
                tracing::warn!(%error, "it cannot be found out whether the API key of a stream still holds");
                Ok(())
            }
        }
    }
}
