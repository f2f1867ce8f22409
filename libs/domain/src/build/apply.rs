//! Event to state, for live writes and for replay alike. It never refuses: what was stored, happened.

use super::{Attempt, Build, BuildEvent, BuildStatus, Phase, TaskState, TaskStatus, Track, Work, data};
use crate::{Failure, Usage};
use chrono::{DateTime, Utc};
use plan::{Frontier, TaskNumber};
use std::sync::Arc;

impl Track {
    fn schedule(&mut self, attempt: Attempt, not_before: Option<DateTime<Utc>>) {
        self.attempt = attempt.0;
        self.phase = Phase::Scheduled(not_before);
    }

    fn fail(&mut self) {
        self.failures += 1;
        self.phase = Phase::Idle;
    }
}

impl Build {
    /// The state after an event.
    pub fn apply(&mut self, event: &BuildEvent) {
        match event {
            BuildEvent::BuildSubmitted(e) => {
                self.spec = Some(Arc::new(e.spec.clone()));
                self.submitted_at = Some(e.at);
            }
            BuildEvent::BuildStarted(e) => {
                self.started_at = Some(e.at);
                self.status =
                    if self.plan.is_some() { BuildStatus::Executing } else { BuildStatus::Planning };
            }
            BuildEvent::PlanningScheduled(e) => self.planning.schedule(e.attempt, e.not_before),
            BuildEvent::PlanningStarted(e) => self.planning.phase = Phase::Running(e.executor.clone()),
            BuildEvent::PlanningFailed(e) => {
                self.planning_failure = Some(e.failure.clone());
                self.planning.fail();
                self.usage += &e.usage;
            }
            BuildEvent::PlanGenerated(e) => self.adopt_plan(e),
            BuildEvent::TaskScheduled(e) => self.schedule_task(e),
            BuildEvent::TaskStarted(e) => {
                if let Some(task) = self.task_mut(e.task) {
                    task.status = TaskStatus::InProgress;
                    task.track.phase = Phase::Running(e.executor.clone());
                    task.started_at = Some(e.at);
                }
            }
            BuildEvent::TaskCompleted(e) => self.complete_task(e),
            BuildEvent::TaskFailed(e) => {
                let status = TaskStatus::Failed;
                self.end_failed_attempt(e.task, status, &e.failure, e.will_retry, &e.usage, e.at);
                self.note_session(e.task, e.session_id.as_ref());
            }
            BuildEvent::TaskTimeout(e) => {
                let status = TaskStatus::Timeout;
                self.end_failed_attempt(e.task, status, &e.failure, e.will_retry, &e.usage, e.at);
                self.note_session(e.task, e.session_id.as_ref());
            }
            BuildEvent::AttemptLost(e) => self.lose_attempt(e.work),
            BuildEvent::MergeScheduled(e) => self.merging.schedule(e.attempt, e.not_before),
            BuildEvent::MergeCompleted(e) => {
                self.merging.phase = Phase::Idle;
                self.result = Some(e.result.clone());
            }
            BuildEvent::MergeFailed(_) => self.merging.fail(),
            BuildEvent::UsageRecorded(e) => self.record_usage(e),
            BuildEvent::BuildCompleted(e) => self.end(BuildStatus::Completed, e.at),
            BuildEvent::BuildFailed(e) => {
                self.failure = Some(e.failure.clone());
                self.failed_task = e.task;
                self.end(BuildStatus::Failed, e.at);
            }
            BuildEvent::BuildCancelled(e) => self.end(BuildStatus::Cancelled, e.at),
        }
    }

    fn task_mut(&mut self, number: TaskNumber) -> Option<&mut TaskState> {
        self.tasks.get_mut(number.index())
    }

    fn adopt_plan(&mut self, e: &data::PlanGenerated) {
        self.planning.phase = Phase::Idle;
        self.frontier = Frontier::of(&e.plan);
        self.tasks = vec![TaskState::default(); e.plan.tasks().len()];
        self.plan = Some(Arc::new(e.plan.clone()));
        self.plan_source = Some(e.source);
        self.usage += &e.usage;
        if self.started_at.is_some() {
            self.status = BuildStatus::Executing;
        }
    }

    fn schedule_task(&mut self, e: &data::TaskScheduled) {
        self.frontier.take(e.task);
        let Some(task) = self.task_mut(e.task) else { return };
        let was_active = !matches!(task.track.phase, Phase::Idle);
        task.status = TaskStatus::Scheduled;
        task.track.schedule(e.attempt, e.not_before);
        if !was_active {
            self.active += 1;
        }
    }

    fn complete_task(&mut self, e: &data::TaskCompleted) {
        let plan = self.plan.clone();
        let Some(task) = self.task_mut(e.task) else { return };
        task.status = TaskStatus::Completed;
        task.track.phase = Phase::Idle;
        task.result = Some(e.result.clone());
        task.failure = None;
        task.session_id.clone_from(&e.session_id);
        task.ended_at = Some(e.at);
        task.usage += &e.usage;
        self.active = self.active.saturating_sub(1);
        self.completed += 1;
        self.usage += &e.usage;
        if let Some(plan) = plan {
            self.frontier.complete(&plan, e.task);
        }
    }

    fn end_failed_attempt(
        &mut self,
        number: TaskNumber,
        status: TaskStatus,
        failure: &Failure,
        will_retry: bool,
        usage: &Usage,
        at: DateTime<Utc>,
    ) {
        self.usage += usage;
        let Some(task) = self.task_mut(number) else { return };
        task.usage += usage;
        task.failure = Some(failure.clone());
        task.track.fail();
        if !will_retry {
            task.status = status;
            task.ended_at = Some(at);
            // Nothing new is scheduled from here on; what runs may finish.
            self.failure.get_or_insert_with(|| failure.clone());
            self.failed_task.get_or_insert(number);
        }
        self.active = self.active.saturating_sub(1);
    }

    fn note_session(&mut self, number: TaskNumber, session_id: Option<&String>) {
        if let (Some(task), Some(session_id)) = (self.task_mut(number), session_id) {
            task.session_id = Some(session_id.clone());
        }
    }

    fn lose_attempt(&mut self, work: Work) {
        if let Work::Task(_) = work {
            self.active = self.active.saturating_sub(1);
        }
        let track = match work {
            Work::Plan => &mut self.planning,
            Work::Merge => &mut self.merging,
            Work::Task(number) => match self.tasks.get_mut(number.index()) {
                Some(task) => &mut task.track,
                None => return,
            },
        };
        track.losses += 1;
        track.phase = Phase::Idle;
    }

    fn record_usage(&mut self, e: &data::UsageRecorded) {
        self.usage += &e.usage;
        let track = match e.work {
            Work::Plan => &mut self.planning,
            Work::Merge => &mut self.merging,
            Work::Task(number) => {
                let Some(task) = self.task_mut(number) else { return };
                task.usage += &e.usage;
                &mut task.track
            }
        };
        // Of what is still open, the end is told by another event.
        if track.phase == Phase::Abandoned {
            track.phase = Phase::Idle;
        }
    }

    /// Ends the build and everything that was not over in it.
    fn end(&mut self, status: BuildStatus, at: DateTime<Utc>) {
        self.status = status;
        self.ended_at = Some(at);
        self.active = 0;
        self.frontier = Frontier::default();
        abandon(&mut self.planning);
        abandon(&mut self.merging);
        for task in &mut self.tasks {
            abandon(&mut task.track);
            if task.status.is_terminal() {
                continue;
            }
            let never_begun = task.status == TaskStatus::Pending && status == BuildStatus::Failed;
            task.status = if never_begun { TaskStatus::Skipped } else { TaskStatus::Cancelled };
            task.ended_at = Some(at);
        }
    }
}

/// An attempt that is not over can still tell its cost, even one whose start was not heard of in time.
fn abandon(track: &mut Track) {
    if matches!(track.phase, Phase::Scheduled(_) | Phase::Running(_)) {
        track.phase = Phase::Abandoned;
    }
}
