use ports::StoreError;
use std::{num::TryFromIntError, sync::Arc};

/// A failure of PostgreSQL, to be told to everybody who waits for the same statement.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Failure(Arc<sqlx::Error>);

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match &*failure.0 {
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(Box::new(failure)),
            error if Meaning::of(error) == Meaning::Unfit => Self::Corrupt(Box::new(failure)),
            error if code(error).is_some_and(|code| code.starts_with("XX00")) => {
                Self::Corrupt(Box::new(failure))
            }
            _ => Self::Unavailable(Box::new(failure)),
        }
    }
}

pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    Failure::from(error).into()
}

/// What an error says of the statement that met it.
/// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nobody knows what became of it: the connection is gone, or the server has become a standby.
    Lost,
    /// Others were in its way, and nothing of it is stored: at once it may work.
    InTheWay,
    /// Its data is what PostgreSQL cannot store.
    Unfit,
    /// Anything else; nothing of it is stored.
    Refused,
}

impl Meaning {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Lost,
            sqlx::Error::Database(_) => match code(error).as_deref() {
                Some("40001" | "40P01") => Self::InTheWay,
                // Read-only: we were led to a server that is no longer the primary.
                Some("25006") => Self::Lost,
                Some(code) if code.starts_with("08") || code.starts_with("57P") => Self::Lost,
                Some(code) if code.starts_with("22") || code.starts_with("54") => Self::Unfit,
                _ => Self::Refused,
            },
            _ => Self::Refused,
        }
    }
}

fn code(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// Why a stored row means nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error(transparent)]
    Column(#[from] sqlx::Error),
    #[error(transparent)]
    Id(#[from] domain::IdError),
    #[error(transparent)]
    Ulid(#[from] ulid::DecodeError),
    #[error(transparent)]
    Project(#[from] names::ProjectNameError),
    #[error(transparent)]
    Tenant(#[from] names::FleetNameError),
    #[error("an API key: {0}")]
    Key(&'static str),
    #[error("a delivery: {0}")]
    Delivery(&'static str),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Number(#[from] TryFromIntError),
    #[error("{0} is no time")]
    Time(i64),
    #[error("{0:?} is no status of a build")]
    Status(String),
}

impl From<Damage> for StoreError {
    fn from(damage: Damage) -> Self {
        Self::Corrupt(Box::new(damage))
    }
}
