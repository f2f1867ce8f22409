//! Which tasks are ready while a plan is being carried out.

use crate::{Plan, TaskNumber};
use std::collections::BTreeSet;

/// The edge between what is done and what is not: tasks whose predecessors are all completed.
///
/// Every change is O(successors of the changed task), so that a plan of thousands of tasks stays cheap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    waiting_for: Vec<u32>,
    ready: BTreeSet<TaskNumber>,
}

impl Frontier {
    /// The frontier of a plan nothing of which has been done.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let waiting_for: Vec<u32> = plan
            .numbers()
            .map(|number| u32::try_from(plan.predecessors(number).count()).unwrap_or(u32::MAX))
            .collect();
        let ready = plan.numbers().filter(|number| waiting_for[number.index()] == 0).collect();
        Self { waiting_for, ready }
    }

    /// Ready tasks that nobody took yet, in the order of the plan.
    pub fn ready(&self) -> impl Iterator<Item = TaskNumber> + '_ {
        self.ready.iter().copied()
    }

    /// Takes a task off the ready set (it was scheduled).
    pub fn take(&mut self, number: TaskNumber) {
        self.ready.remove(&number);
    }

    /// The tasks that would become ready if `number` completed now.
    pub fn released_by<'a>(
        &'a self,
        plan: &Plan,
        number: TaskNumber,
    ) -> impl Iterator<Item = TaskNumber> + use<'a> {
        plan.successors(number).filter(|next| self.waiting_for.get(next.index()) == Some(&1))
    }

    /// Notes that a task completed: successors with nothing else to wait for become ready.
    pub fn complete(&mut self, plan: &Plan, number: TaskNumber) {
        for next in plan.successors(number) {
            if let Some(count) = self.waiting_for.get_mut(next.index()) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.ready.insert(next);
                }
            }
        }
    }
}
