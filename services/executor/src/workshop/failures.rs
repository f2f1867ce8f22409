//! From what went wrong to the class that decides what happens next.
//!
//! Details (paths, the system's words) go to the log of the executor, once, here; what becomes part of the
//! build's history names the step only.

use bundles::ExchangeError;
use domain::{Failure, FailureClass};
use ports::ArtifactError;
use std::error::Error;
use supervisor::SuperviseError;
use workspace::{BaseError, GitError, HarvestError, ImportError, MergeError, PublishError};

/// Whether the system said that something ran out: disk, quota, memory, files or processes.
fn ran_out(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = said_by_the_system(error) {
            use std::io::ErrorKind::{OutOfMemory, QuotaExceeded, StorageFull};
            // EMFILE, ENFILE and EAGAIN have no kind of their own.
            return matches!(io.kind(), StorageFull | QuotaExceeded | OutOfMemory)
                || matches!(io.raw_os_error(), Some(11 | 23 | 24));
        }
        source = error.source();
    }
    false
}

fn said_by_the_system<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a std::io::Error> {
    match error.downcast_ref() {
        // It counts these as part of its own message, not as a source.
        Some(SuperviseError::Supervisor { error, .. } | SuperviseError::NotStarted { error, .. }) => {
            Some(error)
        }
        _ => error.downcast_ref(),
    }
}

fn logged(class: FailureClass, message: &str, error: &(dyn Error + 'static)) -> Failure {
    let class = if ran_out(error) { FailureClass::Resource } else { class };
    tracing::warn!(error = %Chain(error), ?class, "{message}");
    let message = match class {
        FailureClass::Resource => "the executor ran out of disk space, memory or another resource",
        _ => message,
    };
    Failure::new(class, message)
}

/// An error with all that led to it.
struct Chain<'a>(&'a (dyn Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

/// A failed step: whatever went wrong, as a failure. It exists so that `?` converts in one place.
pub(super) struct Step(Failure);

impl From<Failure> for Step {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<Step> for Failure {
    fn from(step: Step) -> Self {
        step.0
    }
}

macro_rules! failures {
    ($($error:ty => $convert:expr,)+) => {$(
        impl From<$error> for Step {
            fn from(error: $error) -> Self {
                let convert: fn($error) -> Failure = $convert;
                Self(convert(error))
            }
        }
    )+};
}

failures! {
    GitError => |error| logged(git_class(&error), "a git command failed on the executor", &error),
    BaseError => |error| match error {
        BaseError::Git(error) => match known(&error) {
            Some(why) => logged(FailureClass::Repository, why, &error),
            None => logged(git_class(&error), "the repository could not be fetched", &error),
        },
        error @ BaseError::UnknownHost(_) => Failure::new(FailureClass::Crashed, error.to_string()),
        error => Failure::new(FailureClass::Repository, error.to_string()),
    },
    MergeError => |error| match error {
        MergeError::Git(error) => Step::from(error).0,
        error => Failure::new(FailureClass::MergeConflict, error.to_string()),
    },
    PublishError => |error| match error {
        PublishError::Merge(error) => Step::from(error).0,
        PublishError::Git(error) => Step::from(error).0,
        error @ PublishError::Contended => Failure::new(FailureClass::Resource, error.to_string()),
    },
    ExchangeError => |error| match error {
        ExchangeError::Base(error) => Step::from(error).0,
        ExchangeError::Merge(error) => Step::from(error).0,
        ExchangeError::Publish(error) => Step::from(error).0,
        ExchangeError::Import(error) => Step::from(error).0,
        ExchangeError::Artifacts(error) => Step::from(error).0,
        ExchangeError::Git(error) => Step::from(error).0,
        ExchangeError::Scratch(error) => Step::from(error).0,
        error @ ExchangeError::Contended(_) => Failure::new(FailureClass::Resource, error.to_string()),
        error => logged(FailureClass::Crashed, "a commit of another executor could not be taken over", &error),
    },
    HarvestError => |error| match error {
        HarvestError::Git(error) => Step::from(error).0,
        // Too large, or a name that must not be checked out: the attempt is at fault, another may do better.
        error => Failure::new(FailureClass::NoEvidence, error.to_string()),
    },
    ImportError => |error| logged(FailureClass::Crashed, "a result could not be taken over", &error),
    ArtifactError => |error| logged(FailureClass::Crashed, "the artifact store failed", &error),
    SuperviseError => |error| logged(FailureClass::Crashed, "a command could not be started", &error),
    std::io::Error => |error| logged(FailureClass::Crashed, "the executor could not use its disk", &error),
}

fn git_class(error: &GitError) -> FailureClass {
    match error {
        GitError::Failed { stderr, .. } if cannot_write(stderr) => FailureClass::Resource,
        _ => FailureClass::Crashed,
    }
}

/// Why a fetch cannot succeed later either, if git says so. What a server or the network does may pass.
fn known(error: &GitError) -> Option<&'static str> {
    let GitError::Failed { stderr, .. } = error else { return None };
    let said = |(words, why): &(&str, &'static str)| stderr.contains(words).then_some(*why);
    DEFINITE.iter().find_map(said)
}

const NO_BRANCH: &str =
    "the repository has no such branch: look at `repository.branch`, or at what its HEAD points at";
const NO_REPOSITORY: &str =
    "there is no repository at this address, or none that may be read: look at `repository.url`";
const NO_ACCESS: &str = "the repository cannot be read without credentials that are not there";

/// Git's words, and what they mean. What it says of a repository on a server is what the server says.
const DEFINITE: [(&str, &str); 12] = [
    ("couldn't find remote ref", NO_BRANCH),
    ("does not appear to be a git repository", NO_REPOSITORY),
    ("does not exist", NO_REPOSITORY),
    ("not found", NO_REPOSITORY),
    ("Authentication failed", NO_ACCESS),
    ("could not read Username", NO_ACCESS),
    ("could not read Password", NO_ACCESS),
    ("Permission denied", NO_ACCESS),
    ("returned error: 401", NO_ACCESS),
    ("returned error: 403", NO_ACCESS),
    ("Host key verification failed", "the key of the repository's host is not known to the executor"),
    ("fsck error", "the repository holds damaged objects"),
];

/// Git says so in several ways; not all of them give the system's reason.
fn cannot_write(stderr: &str) -> bool {
    ["No space left on device", "Disk quota exceeded", "unable to write", "write error", "Out of memory"]
        .iter()
        .any(|words| stderr.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn class(step: impl Into<Step>) -> FailureClass {
        Failure::from(step.into()).class
    }

    #[test]
    fn what_ran_out_is_found_however_deep() {
        // EAGAIN: no more processes.
        let refused = || io::Error::from_raw_os_error(11);
        assert_eq!(class(refused()), FailureClass::Resource);
        assert_eq!(class(ArtifactError::Io(io::ErrorKind::StorageFull.into())), FailureClass::Resource);
        let spawning = SuperviseError::Supervisor { program: "supervise".into(), error: refused() };
        assert_eq!(class(spawning), FailureClass::Resource);
        let starting = SuperviseError::NotStarted { doing: "running sh".into(), error: refused() };
        assert_eq!(class(starting), FailureClass::Resource);
        let piping = GitError::Pipe { command: "commit", source: io::ErrorKind::QuotaExceeded.into() };
        assert_eq!(class(MergeError::Git(piping)), FailureClass::Resource);
    }

    #[test]
    fn a_fetch_that_may_succeed_later_is_no_failure_of_the_repository() {
        use std::os::unix::process::ExitStatusExt;
        let fetch = |stderr: &str| {
            let status = std::process::ExitStatus::from_raw(128 << 8);
            BaseError::Git(GitError::Failed { command: "fetch", status, stderr: stderr.to_owned() })
        };
        for passes in [
            "fatal: unable to access 'https://x/': Failed to connect to x port 443: Connection refused",
            "fatal: unable to access 'https://x/': The requested URL returned error: 503",
            "fatal: the remote end hung up unexpectedly",
        ] {
            assert_eq!(class(fetch(passes)), FailureClass::Crashed, "{passes}");
        }
        for stays in [
            "fatal: repository 'https://x/' not found",
            "fatal: couldn't find remote ref refs/heads/x",
            "fatal: Authentication failed for 'https://x/'",
            "remote: fsck error in packed object",
        ] {
            assert_eq!(class(fetch(stays)), FailureClass::Repository, "{stays}");
        }
        assert_eq!(class(fetch("fatal: write error: No space left on device")), FailureClass::Resource);
        let slow = GitError::TimedOut { command: "fetch", after: std::time::Duration::from_secs(600) };
        assert_eq!(class(BaseError::Git(slow)), FailureClass::Crashed);
        assert_eq!(class(BaseError::UnknownHost(io::Error::other("try again"))), FailureClass::Crashed);
        assert_eq!(class(BaseError::PrivateHost), FailureClass::Repository);
    }

    #[test]
    fn other_words_of_the_system_are_not_taken_for_it() {
        assert_eq!(class(io::Error::from(io::ErrorKind::NotFound)), FailureClass::Crashed);
        assert_eq!(class(SuperviseError::Lost), FailureClass::Crashed);
    }
}
