//! What an event means for who works on what.

use crate::admission::{Place, Requirements, requirements};
use chrono::{DateTime, Utc};
use domain::{
    Failure, FailureClass,
    build::{Attempt, Build, BuildEvent, Work},
};
use ports::RecordedEvent;

pub(crate) enum News {
    /// There is a build.
    Opened { place: Place, deadline: Option<DateTime<Utc>> },
    /// It has a plan.
    Planned(Requirements),
    /// An attempt may be given out, at once or later.
    Scheduled { work: Work, attempt: Attempt, not_before: Option<DateTime<Utc>> },
    /// An executor has it.
    Started { work: Work, attempt: Attempt },
    /// It has ended, and whoever had it knows.
    Over { work: Work, attempt: Attempt },
    /// It has ended, and somebody may not know.
    Lost { work: Work, attempt: Attempt },
    /// The build has ended with all its work.
    Completed,
    /// The build has ended, and work of it may be under way.
    Stopped,
}

/// What is new in an event, if it is anything of this.
pub(crate) fn news_in(event: &RecordedEvent) -> Option<News> {
    event.stream.build()?;
    match &*event.kind {
        "build_completed" => return Some(News::Completed),
        "build_failed" | "build_cancelled" => return Some(News::Stopped),
        "build_started" | "usage_recorded" => return None,
        _ => {}
    }
    match event.build_event() {
        Ok(event) => news(&event),
        Err(error) => {
            tracing::error!(position = %event.position, %error, "an event cannot be read");
            None
        }
    }
}

fn news(event: &BuildEvent) -> Option<News> {
    let task = Work::Task;
    Some(match event {
        BuildEvent::BuildSubmitted(e) => {
            let mut build = Build::default();
            build.apply(event);
            News::Opened { place: Place::of(&e.spec), deadline: build.deadline() }
        }
        BuildEvent::PlanGenerated(e) => News::Planned(requirements(&e.plan)),
        BuildEvent::PlanningScheduled(e) => {
            News::Scheduled { work: Work::Plan, attempt: e.attempt, not_before: e.not_before }
        }
        BuildEvent::TaskScheduled(e) => {
            News::Scheduled { work: task(e.task), attempt: e.attempt, not_before: e.not_before }
        }
        BuildEvent::MergeScheduled(e) => {
            News::Scheduled { work: Work::Merge, attempt: e.attempt, not_before: e.not_before }
        }
        BuildEvent::PlanningStarted(e) => News::Started { work: Work::Plan, attempt: e.attempt },
        BuildEvent::TaskStarted(e) => News::Started { work: task(e.task), attempt: e.attempt },
        BuildEvent::AttemptLost(e) => News::Lost { work: e.work, attempt: e.attempt },
        BuildEvent::PlanningFailed(e) => ended(Work::Plan, e.attempt, &e.failure),
        BuildEvent::TaskFailed(e) => ended(task(e.task), e.attempt, &e.failure),
        BuildEvent::TaskTimeout(e) => ended(task(e.task), e.attempt, &e.failure),
        BuildEvent::MergeFailed(e) => ended(Work::Merge, e.attempt, &e.failure),
        BuildEvent::TaskCompleted(e) => News::Over { work: task(e.task), attempt: e.attempt },
        BuildEvent::MergeCompleted(e) => News::Over { work: Work::Merge, attempt: e.attempt },
        BuildEvent::BuildCompleted(_) => News::Completed,
        BuildEvent::BuildFailed(_) | BuildEvent::BuildCancelled(_) => News::Stopped,
        BuildEvent::BuildStarted(_) | BuildEvent::UsageRecorded(_) => return None,
    })
}

/// The last loss that is allowed ends an attempt as a failure.
fn ended(work: Work, attempt: Attempt, failure: &Failure) -> News {
    if failure.class == FailureClass::Lost {
        News::Lost { work, attempt }
    } else {
        News::Over { work, attempt }
    }
}

/// What an event withdraws, if anything.
pub(crate) fn withdrawal_in(event: &RecordedEvent) -> Option<News> {
    let may_withdraw = matches!(
        &*event.kind,
        "attempt_lost"
            | "planning_failed"
            | "task_failed"
            | "merge_failed"
            | "build_failed"
            | "build_cancelled"
    );
    news_in(event).filter(|_| may_withdraw)
}
