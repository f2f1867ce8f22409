use ports::StoreError;
use std::{num::TryFromIntError, sync::Arc};

/// A failure of SQLite, to be told to everybody who waits for the same transaction.
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
            sqlx::Error::Database(database) if damaged(database.code().as_deref()) => {
                Self::Corrupt(Box::new(failure))
            }
            _ => Self::Unavailable(Box::new(failure)),
        }
    }
}

/// Whether a result code says that the file itself is damaged or is no database.
/// The low byte of an extended code is the primary one: <https://www.sqlite.org/rescode.html>.
fn damaged(code: Option<&str>) -> bool {
    const SQLITE_CORRUPT: u32 = 11;
    const SQLITE_NOTADB: u32 = 26;
    code.and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| matches!(code & 0xff, SQLITE_CORRUPT | SQLITE_NOTADB))
}

pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    Failure::from(error).into()
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
