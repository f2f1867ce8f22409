//! The owner's side: starting a supervised command and holding on to it.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

use crate::command::{CommandSpec, RUN};
use crate::control::{Exit, Report};
use crate::guard::{Control, End, Guard, Order};

/// Why a command is not running, or how it ended is not known.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The supervising process itself could not be started.
    #[error("cannot start the supervising process {}: {error}", program.display())]
    Supervisor {
        /// The program that was to supervise.
        program: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The command could not be started.
    #[error("failed {doing}: {error}")]
    NotStarted {
        /// What was tried: entering the directory, opening standard input or running the program.
        doing: String,
        /// What the system said.
        error: io::Error,
    },
    /// The supervising process ended without saying how the command did.
    #[error("the supervising process was killed")]
    Lost,
}

/// How to start the supervising process.
#[derive(Debug, Clone)]
pub struct Supervisor {
    program: PathBuf,
    args: Vec<OsString>,
}

impl Supervisor {
    /// `program args…` must end up in [`crate::main`]. Use an absolute path.
    #[must_use]
    pub fn new(program: PathBuf, args: Vec<OsString>) -> Self {
        Self { program, args }
    }

    /// The running binary with its hidden subcommand `supervise`.
    ///
    /// # Errors
    /// When the system cannot tell where the running binary is.
    pub fn this_binary() -> io::Result<Self> {
        // On Linux this names the running file itself, even after an upgrade replaced it on disk.
        let itself = Path::new("/proc/self/exe");
        let program = if cfg!(target_os = "linux") { itself.to_owned() } else { std::env::current_exe()? };
        Ok(Self::new(program, vec!["supervise".into()]))
    }

    /// Starts a command. It is running when this returns; dropping the future before that, or the
    /// [`Supervised`] after it, kills it with everything it started.
    ///
    /// # Errors
    /// [`SuperviseError::NotStarted`] when the command is at fault, else
    /// [`SuperviseError::Supervisor`] or [`SuperviseError::Lost`].
    pub async fn start(&self, spec: &CommandSpec) -> Result<(Supervised, Output), SuperviseError> {
        let failed = |error| SuperviseError::Supervisor { program: self.program.clone(), error };
        let run = run_id();
        let (mut control, mut child) = self.spawn(spec, &run).map_err(failed)?;
        let missing = || failed(io::Error::other("its output was not piped"));
        let output = Output {
            stdout: child.stdout.take().ok_or_else(missing)?,
            stderr: child.stderr.take().ok_or_else(missing)?,
        };
        control.tell(&spec.to_bytes()).await.map_err(failed)?;
        match control.report().await {
            Some(Report::Started(pid)) => {
                let entry = format!("{RUN}={run}").into_bytes();
                let guard = Guard { control, child, command: pid, entry, grace: spec.grace };
                let ((orders, given), (end, ended)) = (mpsc::unbounded_channel(), watch::channel(None));
                tokio::spawn(guard.hold(given, end));
                Ok((Supervised { orders, ended, pid }, output))
            }
            Some(Report::NotStarted { errno, doing }) => {
                let _ = child.wait().await;
                Err(SuperviseError::NotStarted { doing, error: system_error(errno) })
            }
            Some(Report::Ended(_)) | None => Err(SuperviseError::Lost),
        }
    }

    fn spawn(&self, spec: &CommandSpec, run: &str) -> io::Result<(Control, Child)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let ours = UnixStream::from_std(ours)?;
        // No `kill_on_drop`: killing the supervising process would free the tree it holds.
        let child = Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .env(RUN, run)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok((Control::new(ours), child))
    }
}

/// A name that no other run on this machine has.
fn run_id() -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let number = RUNS.fetch_add(1, Ordering::Relaxed);
    // Process ids come again; the keys of hashes are chance.
    format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one(number))
}

fn system_error(errno: i32) -> io::Error {
    if errno == 0 { io::Error::other("unknown reason") } else { io::Error::from_raw_os_error(errno) }
}

/// What the command writes. Both end when the command and everything it started are gone.
#[derive(Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: ChildStdout,
    /// Standard error.
    pub stderr: ChildStderr,
}

/// A running command. Dropping it kills the command and everything it started.
#[derive(Debug)]
pub struct Supervised {
    orders: mpsc::UnboundedSender<Order>,
    ended: watch::Receiver<Option<End>>,
    pid: i32,
}

impl Supervised {
    /// Process id of the command.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends SIGINT to the command and, after its grace, kills what is left. Repeating it changes
    /// nothing; a command that already ended is left alone.
    pub fn interrupt(&self) {
        let _ = self.orders.send(Order::Interrupt);
    }

    /// Kills the command and everything it started, at once.
    pub fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }

    /// Waits until the command and everything it started are gone. May be dropped and called again.
    ///
    /// # Errors
    /// [`SuperviseError::Lost`] when the supervising process was killed; the command is then too.
    pub async fn wait(&mut self) -> Result<Exit, SuperviseError> {
        match self.ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(End::Exited(exit))) => Ok(*exit),
            _ => Err(SuperviseError::Lost),
        }
    }
}
