//! A started git process: fed, read, and gone with all its children when we lose interest.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

/// How much of what a process complains about is kept, in bytes.
const STDERR_TAIL: usize = 4 << 10;

/// Whether output was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completeness {
    Whole,
    Truncated,
}

/// A started process. Dropping it kills it and its children.
pub(crate) struct Running {
    // Before `child`: fields drop in order, and the group must be killed while its leader's id is ours.
    pub(crate) group: Group,
    pub(crate) input: Feed,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
    pub(crate) child: Child,
}

impl Running {
    pub(crate) fn new(mut child: Child, input: Vec<u8>) -> Self {
        Self {
            group: Group::of(&child),
            input: Feed { pipe: child.stdin.take(), bytes: input },
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
        }
    }
}

/// What a process is to read.
pub(crate) struct Feed {
    pipe: Option<ChildStdin>,
    bytes: Vec<u8>,
}

impl Feed {
    /// A process that stops reading says why by its status, so a broken pipe is no news.
    pub(crate) async fn send(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&self.bytes).await;
        }
    }
}

/// The process group of a git process: `fetch` and `bundle` have children of their own.
pub(crate) struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// The leader was waited for, so its id may soon be somebody else's.
    pub(crate) fn disarm(&mut self) {
        self.0 = None;
    }

    pub(crate) fn kill(&self) {
        if let Some(leader) = self.0 {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) async fn read_at_most(
    from: Option<&mut (impl AsyncRead + Unpin)>,
    limit: usize,
) -> std::io::Result<(Vec<u8>, Completeness)> {
    let mut bytes = Vec::new();
    let Some(from) = from else { return Ok((bytes, Completeness::Whole)) };
    from.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    if bytes.len() <= limit {
        return Ok((bytes, Completeness::Whole));
    }
    bytes.truncate(limit);
    Ok((bytes, Completeness::Truncated))
}

/// Reads to the end, keeps the last bit.
pub(crate) async fn tail(from: Option<&mut (impl AsyncRead + Unpin)>) -> std::io::Result<String> {
    let mut kept = Vec::new();
    let Some(from) = from else { return Ok(String::new()) };
    while from.read_buf(&mut kept).await? > 0 {
        if kept.len() > 2 * STDERR_TAIL {
            kept.drain(..kept.len() - STDERR_TAIL);
        }
    }
    kept.drain(..kept.len().saturating_sub(STDERR_TAIL));
    Ok(String::from_utf8_lossy(&kept).trim().to_owned())
}
