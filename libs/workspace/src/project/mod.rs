//! A project's bare repository, which only we write.

mod archive;
mod base;
mod bundle;
mod import;
mod lock;
mod merge;
mod publish;
mod reading;
mod repositories;
mod source;

pub use archive::Archive;
pub use base::BaseError;
pub(crate) use base::message_bytes;
pub(crate) use bundle::write_bundle;
pub use import::ImportError;
pub use merge::MergeError;
pub use publish::{Advance, PublishError, Published};
pub use reading::{Diff, FileContent, FileEntry, LogEntry};
pub use repositories::{Project, Repositories};
pub(crate) use repositories::{commit_id, own_folder};
pub use source::{Access, Source, SourceRules};
