use sqlx::{
    ConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{path::Path, time::Duration};

/// The size of a database page, in bytes.
const PAGE_BYTES: u64 = 4096;

/// How a store uses its file and the machine.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// Connections for reading.
    pub readers: u32,
    /// How long to wait while another process has the file locked.
    pub busy_timeout: Duration,
    /// Most bytes of the database file, its write-ahead log not counted; unbounded if `None`. Beyond it
    /// appends fail as on a full disk.
    pub max_bytes: Option<u64>,
    /// Most events of the end of the log that are kept in memory.
    pub tail_events: usize,
    /// Most bytes of payload among them.
    pub tail_bytes: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            max_bytes: None,
            tail_events: 8192,
            tail_bytes: 16 << 20,
        }
    }
}

impl SqliteOptions {
    fn connection(&self, path: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(self.busy_timeout)
            .foreign_keys(false)
            .disable_statement_logging()
    }

    pub(crate) fn writing(&self, path: &Path) -> SqliteConnectOptions {
        let options = self
            .connection(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Checkpoints copy each changed page once: rarer ones copy fewer. 16 MiB of log at most between
            // two, and no more than 64 MiB of its file kept after a burst.
            .pragma("wal_autocheckpoint", "4096")
            .pragma("journal_size_limit", "67108864")
            .pragma("cache_size", "-8192");
        match self.max_bytes {
            Some(bytes) => options.pragma("max_page_count", (bytes / PAGE_BYTES).max(1).to_string()),
            None => options,
        }
    }

    pub(crate) fn reading(&self, path: &Path) -> SqliteConnectOptions {
        self.connection(path).read_only(true).row_buffer_size(512)
    }
}
