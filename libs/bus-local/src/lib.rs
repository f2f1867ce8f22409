//! The bus within one process, and what else a single machine needs: the output of runs in files, and
//! artifacts in a folder.

mod outcomes;
mod queue;

pub use outcomes::LocalOutcomes;
pub use queue::LocalQueue;
