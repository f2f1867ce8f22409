//! Git, the way an orchestrator of untrusted agents needs it.
//!
//! A [`Project`] is a bare repository that only we write. An [`AttemptWorkspace`] is where an agent works:
//! its tree is the agent's, its git directory is ours and lies outside the tree. Whatever the agent leaves
//! in its tree (hooks, filters, configuration, nested repositories, symbolic links) is content to be
//! committed or ignored, never something that a later git command obeys.
//!
//! Results leave a workspace as a commit and travel as a bundle:
//!
//! 1. [`Project::base`] or [`Project::merge`] says where an attempt starts,
//! 2. [`Workspaces::prepare`] checks that commit out,
//! 3. [`AttemptWorkspace::commit`] turns what changed into a commit,
//! 4. [`AttemptWorkspace::bundle`] and [`Project::import`] carry it elsewhere,
//! 5. [`Project::publish`] puts it on a branch.
//!
//! This crate knows nothing of builds beyond their name, and nothing of events. It runs the real `git`
//! (2.38 or newer, for `merge-tree --write-tree`), one short process per step, each with a timeout.

mod attempt;
mod error;
mod git;
mod invocation;
mod process;
mod project;
mod removal;
mod tree_path;

pub use attempt::{
    AgentGit, AttemptSpec, AttemptWorkspace, Change, ChangeKind, Harvest, HarvestError, HarvestLimits,
    Workspaces,
};
pub use error::GitError;
pub use git::{Git, Version};
pub use project::{
    Access, Advance, Archive, BaseError, Diff, FileContent, FileEntry, ImportError, LogEntry, MergeError,
    Project, PublishError, Published, Repositories, Source, SourceRules,
};
pub use tree_path::TreePath;
