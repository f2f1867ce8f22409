//! Which work may be taken up next.

use super::super::{Attempt, Build, BuildEvent, data};
use chrono::{DateTime, Utc};
use plan::{Frontier, Plan, TaskNumber};

/// The first tasks of a plan: those that wait for nothing, as many as may run at once.
pub(super) fn first_tasks(plan: &Plan, max_parallel: u32) -> Vec<BuildEvent> {
    Frontier::of(plan).ready().take(max_parallel as usize).map(scheduled).collect()
}

fn scheduled(task: TaskNumber) -> BuildEvent {
    data::TaskScheduled { task, attempt: Attempt::FIRST, not_before: None }.into()
}

impl Build {
    /// What follows when `done` completes and leaves its place: more tasks, or the merge after the last one.
    pub(super) fn after_completion(&self, done: TaskNumber) -> Vec<BuildEvent> {
        let Some(plan) = &self.plan else { return Vec::new() };
        if self.completed as usize + 1 == plan.tasks().len() {
            return vec![data::MergeScheduled { attempt: Attempt::FIRST, not_before: None }.into()];
        }
        let max_parallel = self.spec.as_ref().map_or(1, |spec| spec.limits.max_parallel);
        let free = (max_parallel + 1).saturating_sub(self.active) as usize;
        let mut next: Vec<TaskNumber> = self.frontier.ready().take(free).collect();
        next.extend(self.frontier.released_by(plan, done));
        next.sort_unstable();
        next.into_iter().take(free).map(scheduled).collect()
    }

    /// The last moment of a wait that begins now, or none if there is no wait.
    pub(super) fn not_before(wait: std::time::Duration, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (!wait.is_zero()).then(|| at + wait)
    }
}
