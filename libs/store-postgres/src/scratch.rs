//! Databases for the time of a measurement.

use crate::{dice::Dice, failure::store_error};
use ports::StoreError;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use std::str::FromStr;

/// A new, empty database beside another one, on the same server.
#[derive(Debug)]
pub struct ScratchDatabase {
    beside: PgConnectOptions,
    name: String,
    url: String,
}

impl ScratchDatabase {
    /// Makes one on the server of this URL.
    ///
    /// # Errors
    /// If the server cannot be reached or the user may not create databases.
    pub async fn create(url: &str) -> Result<Self, StoreError> {
        let beside = PgConnectOptions::from_str(url).map_err(store_error)?;
        let name =
            format!("buildwright_scratch_{}_{}", std::process::id(), Dice::default().roll().unsigned_abs());
        let mut connection = PgConnection::connect_with(&beside).await.map_err(store_error)?;
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"));
        connection.execute(create).await.map_err(store_error)?;
        let _ = connection.close().await;
        let url = beside.clone().database(&name).to_url_lossy().to_string();
        Ok(Self { beside, name, url })
    }

    /// Its URL. It may hold a password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Removes it, whoever uses it.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub async fn remove(self) -> Result<(), StoreError> {
        let mut connection = PgConnection::connect_with(&self.beside).await.map_err(store_error)?;
        let remove = AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name));
        connection.execute(remove).await.map_err(store_error)?;
        let _ = connection.close().await;
        Ok(())
    }
}
