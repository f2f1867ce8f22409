//! Many rows in few statements: each statement is a trip to SQLite's thread and back.

use sqlx::{AssertSqlSafe, SqliteConnection, sqlite::SqliteArguments};
use std::sync::Arc;

/// How many rows a statement may insert: few sizes, so that each is prepared once and stays prepared.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

pub(crate) type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

/// An `INSERT` of any number of rows.
pub(crate) struct Insert {
    statements: [Arc<str>; SIZES.len()],
}

impl Insert {
    /// `head` goes up to `VALUES`, `tail` follows the rows.
    pub(crate) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let statement = |rows: usize| format!("{head} VALUES {} {tail}", vec![row.as_str(); rows].join(","));
        Self { statements: SIZES.map(|rows| statement(rows).into()) }
    }

    /// Inserts the rows in their order.
    pub(crate) async fn run<T>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[T],
        bind: impl Fn(Query, &T) -> Query,
    ) -> Result<(), sqlx::Error> {
        for (size, sql) in SIZES.into_iter().zip(&self.statements) {
            while let Some((chunk, rest)) = rows.split_at_checked(size) {
                let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(Arc::clone(sql))), &bind);
                query.execute(&mut *connection).await?;
                rows = rest;
            }
        }
        Ok(())
    }
}
