//! The bus, the output log and the artifact store of a single machine: memory and folders.
//!
//! | file | what |
//! |---|---|
//! | `queue` | work orders that wait for an executor |
//! | `outcomes` | reports of executors |
//! | `output` | lines of output, one file for each piece of work |
//! | `artifacts` | bundles in a folder |
//! | `roster` | which executors there are |

mod artifacts;
mod outcomes;
mod output;
mod queue;
mod roster;

pub use artifacts::FolderArtifacts;
pub use outcomes::LocalOutcomes;
pub use output::{FileOutputLog, OutputBounds};
pub use queue::LocalQueue;
pub use roster::LocalRoster;
