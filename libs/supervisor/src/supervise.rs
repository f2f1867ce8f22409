//! The supervising process. One thread, no runtime: it must keep working when everything else broke.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::command::{CommandSpec, Stdin};
use crate::control::{Exit, INTERRUPT, Report};
use crate::tree::{self, GIVE_UP, SWEEP};

/// The supervising process exits with this code when the command could not be started. The owner
/// does not look at it (a command may exit with it too); it is for people who run it by hand.
const NOT_STARTED: u8 = 126;

/// Most bytes of a command: more than the system takes as arguments.
const MOST_BYTES: u32 = 64 << 20;

/// Runs the supervising process to its end. The control socket is standard input, on which the command
/// is told; standard output and error are the command's.
///
/// Exits like the command did (128 + signal number if one ended it).
#[must_use]
pub fn main() -> ExitCode {
    let stdin = std::io::stdin();
    let control = stdin.as_fd();
    let report = run(control).unwrap_or_else(|failure| failure);
    send(control, &report);
    match report {
        Report::Ended(Exit::Code(code)) => exit_code(code),
        Report::Ended(Exit::Signal(signal)) => exit_code(128 + signal),
        Report::NotStarted { .. } | Report::Started(_) => ExitCode::from(NOT_STARTED),
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

fn run(control: BorrowedFd<'_>) -> Result<Report, Report> {
    let told = hear(control).map_err(|error| failed(&error, "hearing what to run".to_owned()))?;
    let spec = CommandSpec::from_bytes(&told)
        .map_err(|error| Report::NotStarted { errno: 0, doing: error.to_string() })?;
    // Leaves the terminal: Ctrl-C and hang-up reach the owner only, and no tool can prompt there.
    let _ = nix::unistd::setsid();
    let deaths = Deaths::prepare().map_err(|e| failed(&e, "preparing to supervise".to_owned()))?;
    let command = spawn(&spec)?;
    send(control, &Report::Started(command.as_raw()));
    let exit = watch(command, control, &deaths, spec.grace);
    let killed = clear(command);
    Ok(Report::Ended(exit.or(killed).unwrap_or(Exit::Signal(Signal::SIGKILL as i32))))
}

fn spawn(spec: &CommandSpec) -> Result<Pid, Report> {
    // Looked at first: a missing directory and a missing program give the same error below.
    std::fs::read_dir(&spec.cwd).map_err(|e| failed(&e, format!("entering {}", spec.cwd.display())))?;
    let stdin = match &spec.stdin {
        Stdin::Null => Stdio::null(),
        Stdin::File(path) => {
            File::open(path).map_err(|e| failed(&e, format!("opening {}", path.display())))?.into()
        }
    };
    let child = Command::new(&spec.program)
        .args(&spec.args)
        .current_dir(&spec.cwd)
        .stdin(stdin)
        .process_group(0)
        .spawn()
        .map_err(|e| failed(&e, format!("running {}", spec.program.display())))?;
    // Reaped by `reap`, together with whatever else becomes our child.
    i32::try_from(child.id())
        .map(Pid::from_raw)
        .map_err(|_| Report::NotStarted { errno: 0, doing: "reading the process id".to_owned() })
}

fn failed(error: &io::Error, doing: String) -> Report {
    Report::NotStarted { errno: error.raw_os_error().unwrap_or(0), doing }
}

/// Returns how the command ended by itself, or `None` when it is to be killed.
fn watch(command: Pid, control: BorrowedFd<'_>, deaths: &Deaths, grace: Duration) -> Option<Exit> {
    let mut deadline: Option<Instant> = None;
    loop {
        if let Reaped { exit: Some(exit), .. } = reap(command) {
            return Some(exit);
        }
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return None;
        }
        if !deaths.wait(control, left) {
            continue;
        }
        match receive(control) {
            Some(INTERRUPT) if deadline.is_none() => {
                // Its whole group, as Ctrl-C in a terminal would.
                let _ = killpg(command, Signal::SIGINT);
                deadline = Some(Instant::now() + grace);
            }
            Some(_) => {}
            None => return None,
        }
    }
}

/// Kills and reaps until no child is left; as a subreaper, that means no descendant is left.
fn clear(command: Pid) -> Option<Exit> {
    let mut exit = None;
    let mut last_death = Instant::now();
    loop {
        let reaped = reap(command);
        exit = exit.or(reaped.exit);
        if reaped.none_left {
            return exit;
        }
        if reaped.any {
            last_death = Instant::now();
        } else if last_death.elapsed() > GIVE_UP {
            return exit;
        }
        tree::kill_below(Pid::this(), command);
        std::thread::sleep(SWEEP);
    }
}

#[derive(Default)]
struct Reaped {
    exit: Option<Exit>,
    any: bool,
    none_left: bool,
}

fn reap(command: Pid) -> Reaped {
    let mut reaped = Reaped::default();
    loop {
        let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, Exit::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Exit::Signal(signal as i32)),
            Err(Errno::EINTR) => continue,
            // Ended by a real-time signal, for which nix has no name; we are not told who it was.
            Err(Errno::EINVAL) if kill(command, None) == Err(Errno::ESRCH) => (command, Exit::Signal(0)),
            Err(Errno::EINVAL) => continue,
            Err(_) => {
                reaped.none_left = true;
                return reaped;
            }
            Ok(_) => return reaped,
        };
        reaped.any = true;
        if pid == command {
            reaped.exit = Some(exit);
        }
    }
}

/// What the owner says first: a length and so many bytes.
fn hear(control: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    fill(control, &mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MOST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut told = vec![0; usize::try_from(length).unwrap_or_default()];
    fill(control, &mut told)?;
    Ok(told)
}

fn fill(control: BorrowedFd<'_>, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::read(control, bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => bytes = bytes.split_at_mut(read).1,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The next byte of the owner; `None` when it is gone or wants the tree killed.
fn receive(control: BorrowedFd<'_>) -> Option<u8> {
    let mut byte = [0];
    loop {
        match nix::unistd::read(control, &mut byte) {
            Ok(1) => return Some(byte[0]),
            Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return None,
        }
    }
}

fn send(control: BorrowedFd<'_>, report: &Report) {
    // An owner that is gone needs no report.
    let _ = nix::unistd::write(control, report.to_line().as_bytes());
}

/// Wakes when a child dies or the owner speaks.
struct Deaths {
    announced: UnixStream,
}

impl Deaths {
    /// Also makes us deaf to the signals that end processes: the owner alone decides when the
    /// command ends. Handlers, unlike blocked or ignored signals, are not inherited by the command.
    fn prepare() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_child_subreaper(true)?;
        let (announced, handler) = UnixStream::pair()?;
        announced.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, handler)?;
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            signal_hook::flag::register(signal, Arc::default())?;
        }
        Ok(Self { announced })
    }

    /// Returns whether the owner has something to say.
    fn wait(&self, control: BorrowedFd<'_>, at_most: Option<Duration>) -> bool {
        let mut fds =
            [PollFd::new(control, PollFlags::POLLIN), PollFd::new(self.announced.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout(at_most)).is_err() {
            return false; // Interrupted by a signal; the caller comes back.
        }
        while matches!((&self.announced).read(&mut [0; 64]), Ok(1..)) {}
        fds[0].any().unwrap_or(false)
    }
}

/// Rounded up, so that the last wait does not turn into a busy loop.
fn timeout(at_most: Option<Duration>) -> PollTimeout {
    at_most.map_or(PollTimeout::NONE, |left| {
        PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
    })
}
