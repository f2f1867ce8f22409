use names::Commit;
use ports::{ArtifactError, ArtifactKey};
use workspace::{BaseError, GitError, ImportError, MergeError, PublishError};

/// Why a commit did not travel.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The store has no bundle of it.
    #[error("commit {0} is neither here nor in the artifact store")]
    NotShared(Commit),
    /// Its bundle builds on another, which builds on another, and so on past the bound.
    #[error("the bundles that commit {0} builds on have no end")]
    Endless(Commit),
    /// A record in the store is not what we write.
    #[error("the artifact {0} cannot be understood")]
    Unreadable(ArtifactKey, #[source] serde_json::Error),
    /// Other machines kept publishing.
    #[error("the project's branch moved {0} times while it was being updated")]
    Contended(usize),
    /// The artifact store failed.
    #[error(transparent)]
    Artifacts(#[from] ArtifactError),
    /// A bundle was refused.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// There is nothing to start from.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A build contradicts what is on the branch.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// Publishing on this machine failed.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The folder for files on their way failed.
    #[error("the folder for files on their way failed")]
    Scratch(#[source] std::io::Error),
}
