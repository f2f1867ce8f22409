//! The plan of a build: a graph of tasks, held so that an invalid one cannot exist.
//!
//! A [`PlanDraft`] is what a client or a model wrote. [`Plan::validate`] turns it into a [`Plan`] or names
//! every problem with a JSON pointer. A [`Plan`] keeps its graph (petgraph) and answers what precedes and
//! what follows a task; a [`Frontier`] follows which tasks are ready while a build runs.

mod draft;
mod frontier;
mod graph;
mod task;
mod validate;

pub use draft::{DependencyDraft, PlanDraft, TaskDraft};
pub use frontier::Frontier;
pub use graph::Plan;
pub use task::{PlannedTask, TaskKey, TaskKeyError, TaskNumber, TaskType};
pub use validate::{Bounds, InvalidPlan, MOST_LABELS, Problem, names_no_model};
