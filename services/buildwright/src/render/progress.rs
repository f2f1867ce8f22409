//! How far a build is: the fold of its events, as far as it is shown.

use chrono::{DateTime, Utc};
use domain::{
    ModelUsage, Usage,
    build::{BuildEvent, Work},
};
use plan::{Plan, TaskNumber};
use std::collections::BTreeMap;

/// What is known of a build from its events so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// What it is at.
    pub(crate) stage: Stage,
    /// Names of its tasks, by number.
    pub(crate) tasks: Vec<TaskName>,
    /// How many tasks are done.
    pub(crate) completed: usize,
    /// What is going on now, and since when.
    pub(crate) running: BTreeMap<Work, Running>,
    /// Every attempt that is over, in the order of the ends.
    pub(crate) attempts: Vec<Attempted>,
    /// What it cost so far.
    pub(crate) usage: ModelUsage,
    /// When it was accepted.
    pub(crate) submitted_at: Option<DateTime<Utc>>,
}

/// What a build is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    Waiting,
    Planning,
    Tasks,
    Merging,
    Completed,
    Failed,
    Cancelled,
}

/// How a task is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskName {
    pub(crate) key: String,
    pub(crate) title: String,
}

/// An attempt that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) attempt: u32,
    pub(crate) since: DateTime<Utc>,
}

/// An attempt that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempted {
    pub(crate) work: Work,
    pub(crate) attempt: u32,
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) went: Went,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Went {
    Well,
    Badly,
    /// Stopped or lost before it was over.
    Nowhere,
}

impl Progress {
    /// Takes what happened into account. Events may come twice: a build's own order is kept by the server.
    pub(crate) fn apply(&mut self, event: &BuildEvent, recorded_at: DateTime<Utc>) {
        use BuildEvent as E;
        match event {
            E::BuildSubmitted(e) => self.submitted_at = Some(e.at),
            E::PlanningScheduled(_) => self.stage = Stage::Planning,
            E::PlanningStarted(e) => self.begin(Work::Plan, e.attempt.0, e.at),
            E::PlanningFailed(e) => self.end(Work::Plan, e.attempt.0, e.at, Went::Badly, &e.usage),
            E::PlanGenerated(e) => {
                self.end(Work::Plan, 0, e.at, Went::Well, &e.usage);
                self.tasks = names(&e.plan);
                self.stage = Stage::Tasks;
            }
            E::TaskStarted(e) => self.begin(Work::Task(e.task), e.attempt.0, e.at),
            E::TaskCompleted(e) => {
                self.completed += 1;
                self.end(Work::Task(e.task), e.attempt.0, e.at, Went::Well, &e.usage);
            }
            E::TaskFailed(e) => self.end(Work::Task(e.task), e.attempt.0, e.at, Went::Badly, &e.usage),
            E::TaskTimeout(e) => self.end(Work::Task(e.task), e.attempt.0, e.at, Went::Badly, &e.usage),
            E::AttemptLost(e) => self.end(e.work, e.attempt.0, e.at, Went::Nowhere, &Usage::default()),
            E::MergeScheduled(e) => {
                self.stage = Stage::Merging;
                self.begin(Work::Merge, e.attempt.0, recorded_at);
            }
            E::MergeCompleted(e) => self.end(Work::Merge, e.attempt.0, e.at, Went::Well, &Usage::default()),
            E::MergeFailed(e) => self.end(Work::Merge, e.attempt.0, e.at, Went::Badly, &Usage::default()),
            E::UsageRecorded(e) => self.usage += &e.usage.total(),
            E::BuildCompleted(e) => self.finish(Stage::Completed, e.at),
            E::BuildFailed(e) => self.finish(Stage::Failed, e.at),
            E::BuildCancelled(e) => self.finish(Stage::Cancelled, e.at),
            E::BuildStarted(_) | E::TaskScheduled(_) => {}
        }
    }

    /// What a piece of work is called.
    pub(crate) fn name(&self, work: Work) -> &str {
        match work {
            Work::Plan => "plan",
            Work::Merge => "merge",
            Work::Task(number) => self.task(number).map_or("task", |task| &task.key),
        }
    }

    /// The name of a task, once the plan is known.
    pub(crate) fn task(&self, number: TaskNumber) -> Option<&TaskName> {
        self.tasks.get(number.index())
    }

    fn begin(&mut self, work: Work, attempt: u32, since: DateTime<Utc>) {
        self.running.insert(work, Running { attempt, since });
    }

    fn end(&mut self, work: Work, attempt: u32, to: DateTime<Utc>, went: Went, usage: &Usage) {
        self.usage += &usage.total();
        // An attempt that was never taken up has no length.
        if let Some(running) = self.running.remove(&work) {
            let attempt = attempt.max(running.attempt);
            self.attempts.push(Attempted { work, attempt, from: running.since, to, went });
        }
    }

    fn finish(&mut self, stage: Stage, at: DateTime<Utc>) {
        self.stage = stage;
        for work in self.running.keys().copied().collect::<Vec<_>>() {
            self.end(work, 0, at, Went::Nowhere, &Usage::default());
        }
    }
}

fn names(plan: &Plan) -> Vec<TaskName> {
    let name = |task: &plan::PlannedTask| TaskName { key: task.key.to_string(), title: task.title.clone() };
    plan.tasks().iter().map(name).collect()
}

#[cfg(test)]
pub(crate) mod tests;
