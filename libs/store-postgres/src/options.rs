use std::time::Duration;

/// How a store uses its database and the machine. A store holds at most `readers` + 3 connections.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Connections for reading and for read models.
    pub readers: u32,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest run of one statement; the server ends it then.
    pub statement_timeout: Duration,
    /// Longest wait of a statement for a lock.
    pub lock_timeout: Duration,
    /// Longest pause within a transaction; the server ends the session then, so that a process that hangs
    /// cannot hold a lock for ever.
    pub idle_in_transaction_timeout: Duration,
    /// How long an append whose connection was lost is sent again before it is answered as unavailable.
    pub patience: Duration,
    /// Whether to hear of other processes' appends by `LISTEN`. A pooler that shares sessions between clients
    /// cannot do it; polling alone does, some milliseconds later.
    pub listen: bool,
    /// Time between two polls right after one that found news. It doubles with each that does not …
    pub poll_busy: Duration,
    /// … up to this.
    pub poll_idle: Duration,
    /// Most events of the end of the log that are kept in memory.
    pub tail_events: usize,
    /// Most bytes of payload among them.
    pub tail_bytes: usize,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            readers: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(10),
            patience: Duration::from_secs(1),
            listen: true,
            poll_busy: Duration::from_millis(5),
            poll_idle: Duration::from_secs(2),
            tail_events: 8192,
            tail_bytes: 16 << 20,
        }
    }
}
