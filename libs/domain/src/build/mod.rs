//! The `Build` aggregate: one prompt carried through.
//!
//! | file | what |
//! |---|---|
//! | `spec` | what was ordered: prompt, limits, labels |
//! | `command` | what may be asked of a build, outcomes of attempts included |
//! | `event` | what happened, as it is stored for ever |
//! | `state` | what a build is, as far as deciding needs it |
//! | `decide` | command to events: all scheduling, retrying and ending is here |
//! | `apply` | event to state, live and on replay |
//! | `snapshot` | state to text and back |
//! | `evidence` | when a task may count as done |
//! | `aggregate` | the same behind cqrs-es's `Aggregate` |

mod aggregate;
mod apply;
mod command;
mod decide;
mod event;
mod evidence;
mod snapshot;
mod spec;
mod state;

pub use crate::stored::DecodeError;
pub use command::{Attempt, Command, MergeResult, Outcome, Rejection, Success, TaskResult, Work};
pub use event::{BuildEvent, PlanSource, data};
pub use evidence::{Changes, check as check_evidence};
pub use snapshot::SnapshotError;
pub use spec::{BuildSpec, Limits, Priority, PriorityError, Repository};
pub use state::{Build, BuildStatus, Phase, TaskState, TaskStatus, Track};
