//! Which work may be taken up next.

use super::super::{Attempt, Build, BuildEvent, Limits, data};
use chrono::{DateTime, Utc};
use plan::{Frontier, Plan, TaskNumber};

/// The first tasks of a plan: those that wait for nothing, as many as may run at once.
pub(super) fn first_tasks(plan: &Plan, limits: &Limits) -> Vec<BuildEvent> {
    Frontier::of(plan).ready().take(limits.tasks_at_once() as usize).map(scheduled).collect()
}

fn scheduled(task: TaskNumber) -> BuildEvent {
    data::TaskScheduled { task, attempt: Attempt::FIRST, not_before: None }.into()
}

impl Build {
    /// What follows when `done` completes and leaves its place: more tasks, or the merge after the last one.
    pub(super) fn after_completion(&self, done: TaskNumber) -> Vec<BuildEvent> {
        let (Some(plan), Some(spec)) = (&self.plan, &self.spec) else { return Vec::new() };
        if self.completed as usize + 1 == plan.tasks().len() {
            return vec![data::MergeScheduled { attempt: Attempt::FIRST, not_before: None }.into()];
        }
        let still_active = self.active.saturating_sub(1);
        let free = spec.limits.tasks_at_once().saturating_sub(still_active) as usize;
        let mut next: Vec<TaskNumber> = self.frontier.ready().take(free).collect();
        next.extend(self.frontier.released_by(plan, done));
        next.sort_unstable();
        next.into_iter().take(free).map(scheduled).collect()
    }

    /// The last moment of a wait that begins now, or none if there is no wait.
    pub(super) fn not_before(wait: std::time::Duration, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let wait = chrono::Duration::from_std(wait).ok().filter(|wait| !wait.is_zero())?;
        at.checked_add_signed(wait)
    }
}
