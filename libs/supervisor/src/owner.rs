//! The owner's side: starting a supervised command and holding on to it.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::command::CommandSpec;
use crate::control::{Exit, INTERRUPT, Report};
use crate::tree;

/// Why a command is not running, or how it ended is not known.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The supervising process itself could not be started.
    #[error("cannot start the supervising process {}", program.display())]
    Supervisor {
        /// The program that was to supervise.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command could not be started.
    #[error("failed {doing}: {source}")]
    NotStarted {
        /// What was tried: entering the directory, opening standard input or running the program.
        doing: String,
        /// What the system said.
        source: io::Error,
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
        let failed = |source| SuperviseError::Supervisor { program: self.program.clone(), source };
        let (mut control, mut child) = self.spawn(spec).map_err(failed)?;
        let missing = || failed(io::Error::other("its output was not piped"));
        let output = Output {
            stdout: child.stdout.take().ok_or_else(missing)?,
            stderr: child.stderr.take().ok_or_else(missing)?,
        };
        match control.report().await {
            Some(Report::Started(pid)) => Ok((Supervised { control, child, pid, exit: None }, output)),
            Some(Report::NotStarted { errno, doing }) => {
                let _ = child.wait().await;
                Err(SuperviseError::NotStarted { doing, source: io::Error::from_raw_os_error(errno) })
            }
            Some(Report::Ended(_)) | None => Err(SuperviseError::Lost),
        }
    }

    fn spawn(&self, spec: &CommandSpec) -> io::Result<(Control, Child)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let ours = UnixStream::from_std(ours)?;
        // No `kill_on_drop`: killing the supervising process would free the tree it holds.
        let child = Command::new(&self.program)
            .args(&self.args)
            .args(spec.to_args())
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok((Control { socket: BufReader::new(ours), line: Vec::new() }, child))
    }
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
    control: Control,
    child: Child,
    pid: i32,
    exit: Option<Exit>,
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
        let _ = self.control.socket.get_ref().try_write(&[INTERRUPT]);
    }

    /// Kills the command and everything it started, at once.
    pub async fn kill(&mut self) {
        let _ = self.control.socket.get_mut().shutdown().await;
    }

    /// Waits until the command and everything it started are gone. May be dropped and called again.
    ///
    /// # Errors
    /// [`SuperviseError::Lost`] when the supervising process was killed; the command is then too.
    pub async fn wait(&mut self) -> Result<Exit, SuperviseError> {
        while self.exit.is_none() {
            match self.control.report().await {
                Some(Report::Ended(exit)) => self.exit = Some(exit),
                Some(_) => {}
                None => {
                    tree::kill_abandoned(Pid::from_raw(self.pid));
                    let _ = self.child.wait().await;
                    return Err(SuperviseError::Lost);
                }
            }
        }
        let _ = self.child.wait().await;
        self.exit.ok_or(SuperviseError::Lost)
    }
}

#[derive(Debug)]
struct Control {
    socket: BufReader<UnixStream>,
    line: Vec<u8>,
}

impl Control {
    /// The next report, `None` at the end. A dropped call leaves the part it read in `line`.
    async fn report(&mut self) -> Option<Report> {
        self.socket.read_until(b'\n', &mut self.line).await.ok()?;
        let line = std::mem::take(&mut self.line);
        Report::parse(&String::from_utf8_lossy(&line))
    }
}
