//! Where an agent works, and what is taken from there.

mod changes;
mod commit;
mod layout;
mod pending;
mod workspaces;

pub use changes::{Change, ChangeKind};
pub use commit::{Harvest, HarvestError};
pub use pending::HarvestLimits;
pub use workspaces::{AgentGit, AttemptSpec, AttemptWorkspace, Workspaces};
