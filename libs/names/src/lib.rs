//! Names that cross a trust boundary: a repository URL, a branch, a path in a tree.
//!
//! A value of one of these types obeys its rules, however it came to be: [`FromStr`](std::str::FromStr),
//! [`TryFrom<String>`] and serde all go through the same check. The error says which rule was broken, so
//! it can be shown to whoever sent the name. Nothing here does I/O.

mod text;

mod branch;
mod commit;
mod fleet;
mod key;
mod path;
mod project;
mod reference;
mod scope;
mod segment;
mod url;

pub use branch::BranchName;
pub use commit::{Commit, CommitError};
pub use fleet::{ExecutorLabel, FleetNameError, PoolName, TenantName};
pub use key::{KeyId, KeyIdError, KeyName, KeyNameError, KeyPrefix, KeyPrefixError};
pub use path::{RelativePath, RelativePathError};
pub use project::{OwnedProject, ProjectName, ProjectNameError};
pub use reference::{RefName, RefNameError};
pub use scope::{Scope, ScopeError, Scopes};
pub use segment::{Segment, SegmentError};
pub use url::{Host, RepositoryUrl, RepositoryUrlError, Transport};
