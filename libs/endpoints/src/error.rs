use commands::Expected;
use domain::endpoint::Rejection;
use ports::StoreError;

/// Why secrets cannot be had, or kept.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store failed: later it may work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are none.
    #[error("the endpoint has no secrets")]
    Missing,
    /// The values of the endpoint's headers were replaced, and the new ones are not there yet; or they are lost, if
    /// whoever had them died.
    #[error("the new values of the endpoint's headers were not kept: give them again")]
    Behind,
    /// They belong to a later version of the endpoint.
    #[error("the endpoint was changed meanwhile")]
    Ahead,
    /// They cannot be opened with the keys that are given.
    #[error("the endpoint's secrets cannot be opened: {0}")]
    Sealed(#[from] seal::OpenError),
    /// There is no randomness to make or seal them with.
    #[error(transparent)]
    Chance(#[from] ports::NoChance),
    /// They are larger than can be sealed.
    #[error(transparent)]
    TooLarge(#[from] seal::TooLarge),
    /// What was sealed is not what a vault seals.
    #[error("the endpoint's secrets cannot be read: {0}")]
    Contents(#[from] serde_json::Error),
}

/// Why an endpoint was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such endpoint.
    #[error("the webhook endpoint does not exist")]
    Unknown,
    /// It is at another version than the caller wants to change.
    #[error("the endpoint is at another version than expected")]
    Outdated,
    /// Others kept changing it.
    #[error("the endpoint is being changed by others")]
    Contended,
    /// The command was refused.
    #[error(transparent)]
    Rejected(Rejection),
    /// So many secrets are valid at the same time that there may be no further one.
    #[error("{0} secrets are valid at the same time, as many as there may be")]
    TooManySecrets(usize),
    /// The secrets could not be had, or kept.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<Rejection> for ChangeError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unknown => Self::Unknown,
            other => Self::Rejected(other),
        }
    }
}

/// Whether a version is one that the caller wants to change.
pub(crate) fn holds(expected: &Expected, version: ports::Version) -> Result<(), ChangeError> {
    if expected.holds(version) { Ok(()) } else { Err(ChangeError::Outdated) }
}
