use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::git::Version;

/// Git, or the file system beneath it, did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program is missing or not executable.
    #[error("git could not be started")]
    Start(#[source] std::io::Error),
    /// The program is too old for us.
    #[error("git {found} is too old: {needed} or newer is needed", needed = Version::MINIMUM)]
    TooOld {
        /// What is installed.
        found: Version,
    },
    /// The process was killed because it took too long.
    #[error("git {command} did not finish within {after:?}")]
    TimedOut {
        /// The subcommand.
        command: &'static str,
        /// How long it was given.
        after: Duration,
    },
    /// The process ended with a status that the step does not expect.
    #[error("git {command} failed ({status}): {stderr}")]
    Failed {
        /// The subcommand.
        command: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said, at most 4 KiB.
        stderr: String,
    },
    /// The process wrote more than the step is prepared to hold.
    #[error("git {command} wrote more than {limit} bytes")]
    TooMuchOutput {
        /// The subcommand.
        command: &'static str,
        /// The bound, in bytes.
        limit: usize,
    },
    /// The process ended well, but its output is not what its manual describes.
    #[error("git {command} answered something unexpected: {what}")]
    Unexpected {
        /// The subcommand.
        command: &'static str,
        /// What was expected.
        what: &'static str,
    },
    /// Talking to the process failed.
    #[error("the connection to git {command} broke")]
    Pipe {
        /// The subcommand.
        command: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file of ours could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl GitError {
    /// For `map_err` on file operations.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

/// Runs file-system work where it cannot stall the runtime.
pub(crate) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down cancels blocking work, and nobody polls us then.
            Err(_) => std::future::pending().await,
        },
    }
}
