//! What a fleet stands on: PostgreSQL and NATS, real, and its own.

use testkit::{nats, postgres};

/// A database and a nats-server. Both can die and come back.
#[derive(Debug)]
pub(crate) struct Outside {
    /// Only of those who are going to break it; the others share one.
    own_postgres: Option<postgres::Server>,
    pub(crate) database_url: String,
    pub(crate) nats: nats::Server,
}

impl Outside {
    pub(crate) fn new(postgres: Postgres) -> Self {
        let own_postgres = match postgres {
            Postgres::Shared => None,
            Postgres::Own => Some(postgres::Server::new(postgres::Disk::Lazy)),
        };
        let database_url = own_postgres.as_ref().unwrap_or_else(|| postgres::Server::shared()).database();
        Self { own_postgres, database_url, nats: nats::Server::start() }
    }

    pub(crate) fn postgres(&self) -> &postgres::Server {
        self.own_postgres.as_ref().expect("a server of its own: Launch::with_its_own_postgres")
    }
}

/// Whose PostgreSQL server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Postgres {
    /// One for all tests of a process.
    Shared,
    /// One that a test may break.
    Own,
}
