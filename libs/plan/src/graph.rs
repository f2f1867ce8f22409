//! A valid plan and its graph. petgraph stays behind these functions.

use crate::{InvalidPlan, PlanDraft, PlannedTask, TaskNumber, validate::Bounds};
use petgraph::{Direction, graph::DiGraph, graph::NodeIndex};
use serde::{Deserialize, Serialize};

/// A plan without a fault: ids are unique, dependencies known, the graph acyclic, targets inside the workspace.
///
/// Reading one from JSON validates it again, so that a `Plan` is valid wherever it came from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "PlanDraft", into = "PlanDraft")]
pub struct Plan {
    pub(crate) summary: Option<String>,
    pub(crate) tasks: Vec<PlannedTask>,
    /// An edge runs from a predecessor to its successor; node weights are not needed, indices are task numbers.
    pub(crate) graph: DiGraph<(), ()>,
}

impl Plan {
    /// Checks a draft.
    ///
    /// # Errors
    /// Every problem found, each with a JSON pointer into the draft.
    pub fn validate(draft: PlanDraft, bounds: &Bounds) -> Result<Self, InvalidPlan> {
        crate::validate::validate(draft, bounds)
    }

    /// What the plan will make, for people.
    #[must_use]
    pub fn summary(&self) -> Option<&str> {
        self.summary.as_deref()
    }

    /// The tasks, by number.
    #[must_use]
    pub fn tasks(&self) -> &[PlannedTask] {
        &self.tasks
    }

    /// The task of that number.
    ///
    /// # Panics
    /// If the number is not of this plan.
    #[must_use]
    pub fn task(&self, number: TaskNumber) -> &PlannedTask {
        &self.tasks[number.index()]
    }

    /// All task numbers in order.
    pub fn numbers(&self) -> impl Iterator<Item = TaskNumber> + use<> {
        (0..u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)).map(TaskNumber)
    }

    /// The tasks that `number` waits for, in order.
    pub fn predecessors(&self, number: TaskNumber) -> impl Iterator<Item = TaskNumber> + use<> {
        self.neighbours(number, Direction::Incoming)
    }

    /// The tasks that wait for `number`, in order.
    pub fn successors(&self, number: TaskNumber) -> impl Iterator<Item = TaskNumber> + use<> {
        self.neighbours(number, Direction::Outgoing)
    }

    /// The tasks nothing waits for, in order: the build's result is the merge of these.
    pub fn sinks(&self) -> impl Iterator<Item = TaskNumber> + '_ {
        self.numbers().filter(|number| {
            self.graph.neighbors_directed(node(*number), Direction::Outgoing).next().is_none()
        })
    }

    fn neighbours(
        &self,
        number: TaskNumber,
        direction: Direction,
    ) -> impl Iterator<Item = TaskNumber> + use<> {
        let mut found: Vec<TaskNumber> =
            self.graph.neighbors_directed(node(number), direction).map(number_of).collect();
        found.sort_unstable();
        found.into_iter()
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.summary == other.summary
            && self.tasks == other.tasks
            && self.numbers().all(|number| self.predecessors(number).eq(other.predecessors(number)))
    }
}

impl Eq for Plan {}

impl TryFrom<PlanDraft> for Plan {
    type Error = InvalidPlan;

    /// Reads a stored plan: everything but the bounds on counts and sizes is checked, since bounds are a
    /// setting of the day it was accepted.
    fn try_from(draft: PlanDraft) -> Result<Self, InvalidPlan> {
        Self::validate(draft, &Bounds::NONE)
    }
}

pub(crate) fn node(number: TaskNumber) -> NodeIndex {
    NodeIndex::from(number.0)
}

#[expect(clippy::cast_possible_truncation, reason = "DiGraph's default index type is u32")]
fn number_of(node: NodeIndex) -> TaskNumber {
    TaskNumber(node.index() as u32)
}
