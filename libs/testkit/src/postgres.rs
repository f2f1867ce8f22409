//! A PostgreSQL server of one's own: real, on a free port of the loopback interface, with data that is thrown
//! away.
//!
//! The server hangs on a small shell that reads a pipe from this process. When the pipe ends, for whatever
//! reason, the shell kills the server and deletes its data; so not even SIGKILL leaves a server behind.
//!
//! The functions block, on processes that take some milliseconds to half a second.

mod installation;
mod keeper;

pub use installation::Installation;
use keeper::Keeper;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longest wait for a server to come up or go down.
const PATIENCE: Duration = Duration::from_secs(30);
/// The superuser of every server here; it needs no password.
const USER: &str = "buildwright";

/// What a commit is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// It survives the server, and that is enough for a test.
    Lazy,
    /// It survives the machine: what to measure with.
    Flushed,
}

/// A server. Dropping it kills it and deletes its data.
#[derive(Debug)]
pub struct Server {
    // Dropped before the data.
    keeper: Mutex<Option<Keeper>>,
    installation: Installation,
    home: TempDir,
    disk: Disk,
    port: u16,
    databases: AtomicU32,
}

impl Server {
    /// Starts a server.
    ///
    /// # Panics
    /// If there is no PostgreSQL 15 or later on this machine, or it does not start.
    #[must_use]
    pub fn new(disk: Disk) -> Self {
        let installation = Installation::find().unwrap_or_else(|missing| panic!("{missing}"));
        let home = tempfile::Builder::new().prefix("buildwright-postgres-").tempdir().expect("a folder");
        installation.give(home.path());
        let mut initdb = installation.command("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER]);
        // Small files of the write-ahead log: a whole cluster is then 28 MB instead of 40.
        run(initdb.args(["--wal-segsize=1", "-D"]).arg(home.path().join("data")));
        let mut server = Self {
            installation,
            home,
            disk,
            port: 0,
            databases: AtomicU32::new(0),
            keeper: Mutex::new(None),
        };
        // Between our asking for a free port and the server's taking it, somebody else may.
        for _ in 0..5 {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("PostgreSQL does not start:\n{}", server.log());
    }

    /// The one server of this process, for tests that do not break it.
    #[must_use]
    pub fn shared() -> &'static Self {
        // Never dropped; the end of the process ends it.
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(Disk::Lazy))
    }

    /// Makes an empty database and tells its URL.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// Runs SQL on a connection of its own and tells what came out, one line a row.
    ///
    /// # Panics
    /// If it fails.
    pub fn sql(&self, url: &str, sql: &str) -> String {
        let mut psql = self.installation.command("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, "-d", url]);
        run(&mut psql).trim_end().to_owned()
    }

    /// Starts it again after [`Server::stop`] or [`Server::kill9`], with its data and on its port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(&self) {
        let began = Instant::now();
        // What is left of a killed server may hold its memory for a moment.
        while !self.try_start() {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL does not start:\n{}", self.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as an operator would: sessions are ended, nothing needs to be recovered.
    pub fn stop(&self) {
        if let Some(keeper) = self.keeper().take() {
            keeper.end("INT");
        }
    }

    /// Kills it with SIGKILL.
    pub fn kill9(&self) {
        if let Some(keeper) = self.keeper().take() {
            keeper.end("KILL");
        }
    }

    /// What the server wrote to its log since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }

    fn keeper(&self) -> MutexGuard<'_, Option<Keeper>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_start(&self) -> bool {
        let log = std::fs::File::create(self.log_file()).expect("a log");
        let server = self.installation.program("postgres");
        let keeper = Keeper::start(&self.installation, &server, &self.settings(), self.home.path(), log);
        let began = Instant::now();
        while !self.is_ready() {
            if self.log().contains("FATAL:  could not") || self.log().contains("FATAL:  pre-existing") {
                keeper.end("QUIT");
                return false;
            }
            assert!(began.elapsed() < PATIENCE, "PostgreSQL is not ready:\n{}", self.log());
            sleep(Duration::from_millis(10));
        }
        *self.keeper() = Some(keeper);
        true
    }

    fn is_ready(&self) -> bool {
        let mut command = self.installation.command("pg_isready");
        let status = command.arg("-q").arg("-d").arg(self.url("postgres")).status();
        status.is_ok_and(|status| status.success())
    }

    fn settings(&self) -> Vec<String> {
        let flush = if self.disk == Disk::Flushed { "on" } else { "off" };
        let mut args = vec!["-D".to_owned(), self.home.path().join("data").to_string_lossy().into_owned()];
        for (name, value) in [
            ("listen_addresses", "127.0.0.1"),
            ("port", &self.port.to_string()),
            ("unix_socket_directories", ""),
            ("max_connections", "200"),
            ("fsync", flush),
            ("full_page_writes", flush),
        ] {
            args.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        args
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// What a command wrote to standard output.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("started");
    let said = String::from_utf8_lossy(&output.stderr);
    let program = Path::new(command.get_program()).display();
    assert!(output.status.success(), "{program}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
