use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use names::{Commit, Segment};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::process::ChildStdout;

use super::repositories::Project;
use crate::error::GitError;
use crate::process::{Running, tail};

/// How long a client may take to download one.
const TIMEOUT: Duration = Duration::from_secs(600);

type Ending = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// A `.tar.gz`, made while it is read. Dropping it stops git.
///
/// It ends with an error unless git ended well, so a cut archive is never taken for a whole one.
pub struct Archive {
    stdout: ChildStdout,
    ending: Ending,
    deadline: Pin<Box<tokio::time::Sleep>>,
    ended: bool,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").finish_non_exhaustive()
    }
}

impl Project {
    /// A commit's files under a folder `prefix`. The commit must exist, else reading fails.
    pub fn archive(&self, commit: &Commit, prefix: &Segment) -> Result<Archive, GitError> {
        let command = "archive";
        let prefix = format!("--prefix={prefix}/");
        let mut running = self.run(command).args(["--format=tar.gz", &prefix, commit.as_str()]).spawn()?;
        let lost = || GitError::Unexpected { command, what: "a standard output" };
        let stdout = running.stdout.take().ok_or_else(lost)?;
        let deadline = Box::pin(tokio::time::sleep(TIMEOUT));
        Ok(Archive { stdout, ending: Box::pin(end(running)), deadline, ended: false })
    }
}

async fn end(mut running: Running) -> io::Result<()> {
    let stderr = tail(running.stderr.as_mut()).await?;
    let status = running.child.wait().await?;
    running.group.disarm();
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("git archive failed ({status}): {stderr}")))
}

impl AsyncRead for Archive {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended || buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stdout).poll_read(context, buffer))?;
        if buffer.filled().len() == before {
            let ending = ready!(self.ending.as_mut().poll(context));
            self.ended = true;
            ending?;
        }
        Poll::Ready(Ok(()))
    }
}
