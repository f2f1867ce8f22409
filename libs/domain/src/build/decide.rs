//! Command to events: all scheduling, retrying and ending is decided here.
//!
//! The order of scheduling is the order of the plan. When a task fails for good, nothing new is scheduled,
//! what runs may finish, and then the build fails: work that was paid for is kept, no more is bought.

mod attempt;
mod schedule;

use super::{Build, BuildEvent, BuildSpec, Command, PlanSource, Rejection, data};
use crate::{Failure, FailureClass, Usage};
use chrono::{DateTime, Utc};
use plan::{Plan, TaskNumber};

/// So often may attempts at one piece of work be lost with their executor before it fails: far above what
/// restarts of executors explain, low enough that work which kills its executor comes to an end. Attempts that
/// nobody had started count too: whoever took one may have died before saying so.
pub(super) const MOST_LOSSES: u32 = 50;

impl Build {
    /// What a command leads to. An empty answer means: accepted, and nothing changes.
    ///
    /// # Errors
    /// Why the command is refused.
    pub fn decide(&self, command: Command) -> Result<Vec<BuildEvent>, Rejection> {
        if let Command::Submit { spec, plan, at } = command {
            return self.submit(spec, plan, at);
        }
        if self.spec.is_none() {
            return Err(Rejection::Unknown);
        }
        match command {
            Command::Submit { .. } => Err(Rejection::AlreadySubmitted),
            Command::Start { work, attempt, executor, at } => self.start(work, attempt, executor, at),
            Command::Finish { work, attempt, outcome, at } => self.finish(work, attempt, outcome, at),
            Command::Lose { work, attempt, at } => Ok(self.lose(work, attempt, at)),
            Command::Cancel { reason, at } => self.cancel(reason, at),
            Command::Expire { at } => Ok(self.expire(at)),
        }
    }

    fn submit(
        &self,
        spec: BuildSpec,
        plan: Option<Plan>,
        at: DateTime<Utc>,
    ) -> Result<Vec<BuildEvent>, Rejection> {
        if self.spec.is_some() {
            return Err(Rejection::AlreadySubmitted);
        }
        let Some(plan) = plan else {
            let planning = data::PlanningScheduled { attempt: super::Attempt::FIRST, not_before: None };
            return Ok(vec![data::BuildSubmitted { spec, at }.into(), planning.into()]);
        };
        let first = schedule::first_tasks(&plan, &spec.limits);
        let (source, usage) = (PlanSource::Client, Usage::default());
        let given = data::PlanGenerated { plan, source, usage, session_id: None, duration_ms: 0, at };
        let mut events = vec![data::BuildSubmitted { spec, at }.into(), given.into()];
        events.extend(first);
        Ok(events)
    }

    /// Cancelling twice is no error; cancelling what has ended otherwise is.
    fn cancel(&self, reason: Option<String>, at: DateTime<Utc>) -> Result<Vec<BuildEvent>, Rejection> {
        match self.status {
            super::BuildStatus::Cancelled => Ok(Vec::new()),
            status if status.is_terminal() => Err(Rejection::Ended),
            _ => Ok(vec![data::BuildCancelled { reason, at }.into()]),
        }
    }

    fn expire(&self, at: DateTime<Utc>) -> Vec<BuildEvent> {
        let over = self.deadline().is_some_and(|deadline| deadline <= at);
        if self.status.is_terminal() || !over {
            return Vec::new();
        }
        let seconds = self.spec.as_ref().map_or(0, |spec| spec.limits.build_timeout_seconds);
        let message =
            format!("the build took longer than its limit of {seconds} s (limits.buildTimeoutSeconds)");
        vec![self.end_in_failure(Failure::new(FailureClass::Timeout, message), None, at)]
    }

    /// The end without a result. A build that was failing already keeps its first reason.
    fn end_in_failure(&self, failure: Failure, task: Option<TaskNumber>, at: DateTime<Utc>) -> BuildEvent {
        let (failure, task) = match &self.failure {
            Some(first) => (first.clone(), self.failed_task),
            None => (failure, task),
        };
        data::BuildFailed { failure, task, at }.into()
    }
}
