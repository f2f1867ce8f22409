//! From the state of a build to the order that an executor needs.

use chrono::{DateTime, Utc};
use commands::Loaded;
use domain::{
    BuildId,
    build::{Attempt, Build, Phase, Work},
};
use plan::TaskNumber;
use ports::{ArtifactKey, TaskInput, WorkKind, WorkOrder};
use std::sync::Arc;

/// What an attempt that waits to be taken up calls for.
pub(crate) enum Waiting {
    /// A timer: it must not begin before this time.
    Until(DateTime<Utc>),
    /// An offer.
    For(Box<WorkOrder>),
}

/// What an attempt calls for now; nothing, if it does not wait (any more).
pub(crate) fn waiting(
    id: BuildId,
    loaded: &Loaded,
    work: Work,
    attempt: Attempt,
    now: DateTime<Utc>,
) -> Option<Waiting> {
    let build = &loaded.build;
    let track = build.track(work).filter(|track| track.attempt == attempt.0)?;
    let Phase::Scheduled(not_before) = track.phase else { return None };
    match not_before.filter(|at| *at > now) {
        Some(at) => Some(Waiting::Until(at)),
        None => order(id, loaded, work, attempt).map(Waiting::For),
    }
}

/// The order of an attempt, whatever it is doing.
pub(crate) fn order(id: BuildId, loaded: &Loaded, work: Work, attempt: Attempt) -> Option<Box<WorkOrder>> {
    let build = &loaded.build;
    let kind = match work {
        Work::Plan => WorkKind::Plan {
            previous_failure: build.planning_failure.as_ref().map(|failure| failure.message.clone()),
        },
        Work::Task(number) => task(build, number)?,
        Work::Merge => {
            WorkKind::Merge { inputs: build.plan.as_ref()?.sinks().filter_map(|n| input(build, n)).collect() }
        }
    };
    Some(Box::new(WorkOrder {
        build: id,
        work,
        attempt,
        spec: Arc::clone(build.spec.as_ref()?),
        submitted_at: build.submitted_at?,
        kind,
    }))
}

fn task(build: &Build, number: TaskNumber) -> Option<WorkKind> {
    let plan = build.plan.as_ref()?;
    let inputs = plan.predecessors(number).filter_map(|before| input(build, before)).collect();
    let previous_failure = build.tasks.get(number.index())?.failure.as_ref().map(|f| f.message.clone());
    Some(WorkKind::Task { number, task: Box::new(plan.task(number).clone()), inputs, previous_failure })
}

fn input(build: &Build, number: TaskNumber) -> Option<TaskInput> {
    let result = build.tasks.get(number.index())?.result.as_ref()?;
    Some(TaskInput {
        number,
        title: build.plan.as_ref()?.task(number).title.clone(),
        commit: result.commit.clone(),
        bundle: result.bundle.clone().and_then(|key| ArtifactKey::try_from(key).ok()),
    })
}
