//! What the course of an attempt leads to.

use super::super::{
    Attempt, Build, BuildEvent, Outcome, Phase, PlanSource, Rejection, Success, TaskResult, Track, Work, data,
};
use crate::{Failure, FailureClass, Usage};
use chrono::{DateTime, Utc};
use plan::{Plan, TaskNumber};

/// An ended attempt, without what it brought.
struct Ended {
    attempt: Attempt,
    usage: Usage,
    session_id: Option<String>,
    duration_ms: u64,
    at: DateTime<Utc>,
}

impl Build {
    /// An executor took an attempt up. Saying so twice changes nothing; another's or an older attempt is
    /// refused, and its executor stops.
    pub(super) fn start(
        &self,
        work: Work,
        attempt: Attempt,
        executor: String,
        at: DateTime<Utc>,
    ) -> Result<Vec<BuildEvent>, Rejection> {
        let stale = Rejection::Stale { work, attempt };
        if self.status.is_terminal() {
            return Err(Rejection::Ended);
        }
        let track = self.track(work).filter(|track| track.is_open(attempt)).ok_or(stale.clone())?;
        if let Phase::Running(holder) = &track.phase {
            return if *holder == executor {
                Ok(Vec::new())
            } else {
                Err(Rejection::HeldByAnother { work, attempt })
            };
        }
        let mut events = Vec::with_capacity(2);
        if self.started_at.is_none() {
            events.push(data::BuildStarted { at }.into());
        }
        match work {
            Work::Plan => events.push(data::PlanningStarted { attempt, executor, at }.into()),
            Work::Task(task) => events.push(data::TaskStarted { task, attempt, executor, at }.into()),
            // Merging is idempotent and short: when it began is of no interest.
            Work::Merge => {}
        }
        Ok(events)
    }

    /// An attempt ended. Only the current one counts; of one that the build no longer waits for, the cost does.
    pub(super) fn finish(
        &self,
        work: Work,
        attempt: Attempt,
        outcome: Outcome,
        at: DateTime<Utc>,
    ) -> Result<Vec<BuildEvent>, Rejection> {
        let Some(track) = self.track(work) else { return Ok(Vec::new()) };
        if track.phase == Phase::Abandoned && track.attempt == attempt.0 {
            if outcome.usage.is_zero() {
                return Ok(Vec::new());
            }
            return Ok(vec![data::UsageRecorded { work, attempt, usage: outcome.usage, at }.into()]);
        }
        if !track.is_open(attempt) {
            return Ok(Vec::new());
        }
        if outcome.result.as_ref().is_err_and(|failure| failure.class == FailureClass::Lost) {
            return Ok(self.lose_at_a_cost(work, attempt, outcome.usage, at));
        }
        let Outcome { result, usage, session_id, duration_ms } = outcome;
        let over_budget = self.over_budget(&usage);
        let ended = Ended { attempt, usage, session_id, duration_ms, at };
        let mut events = match (work, result) {
            (Work::Plan, Ok(Success::Plan(plan))) => self.plan_made(plan, ended),
            (Work::Plan, Err(failure)) => self.planning_failed(failure, ended),
            (Work::Task(task), Ok(Success::Task(result))) => self.task_done(task, result, ended),
            (Work::Task(task), Err(failure)) => self.task_failed(task, failure, ended),
            (Work::Merge, Ok(Success::Merge(result))) => {
                vec![data::MergeCompleted { attempt, result, at }.into(), data::BuildCompleted { at }.into()]
            }
            (Work::Merge, Err(failure)) => self.merge_failed(failure, attempt, at),
            (work, Ok(_)) => return Err(Rejection::WrongOutcome { work }),
        };
        if let Some(failure) = over_budget {
            self.stop_for_budget(&mut events, failure, at);
        }
        Ok(events)
    }

    fn plan_made(&self, plan: Plan, ended: Ended) -> Vec<BuildEvent> {
        let first = self.spec.as_ref().map(|spec| super::schedule::first_tasks(&plan, &spec.limits));
        let Ended { usage, session_id, duration_ms, at, .. } = ended;
        let made =
            data::PlanGenerated { plan, source: PlanSource::Model, usage, session_id, duration_ms, at };
        std::iter::once(made.into()).chain(first.into_iter().flatten()).collect()
    }

    fn planning_failed(&self, failure: Failure, ended: Ended) -> Vec<BuildEvent> {
        let will_retry = self.may_retry(&self.planning, &failure);
        let next = ended.attempt.next();
        let wait = Self::not_before(failure.class.back_off(next.0), ended.at);
        let Ended { attempt, usage, at, .. } = ended;
        let failed = data::PlanningFailed { attempt, failure: failure.clone(), will_retry, usage, at };
        let then = if will_retry {
            data::PlanningScheduled { attempt: next, not_before: wait }.into()
        } else {
            self.end_in_failure(failure, None, at)
        };
        vec![failed.into(), then]
    }

    fn task_done(&self, task: TaskNumber, result: TaskResult, ended: Ended) -> Vec<BuildEvent> {
        let planned = self.plan.as_ref().and_then(|plan| plan.tasks().get(task.index()));
        let owes = planned.is_some_and(|task| task.task_type.needs_targets());
        if owes && result.files_changed == 0 {
            let message = "success was claimed, but nothing was changed";
            return self.task_failed(task, Failure::new(FailureClass::NoEvidence, message), ended);
        }
        let Ended { attempt, usage, session_id, duration_ms, at } = ended;
        let done = data::TaskCompleted { task, attempt, result, usage, session_id, duration_ms, at };
        let mut events = vec![done.into()];
        match &self.failure {
            None => events.extend(self.after_completion(task)),
            Some(first) if self.active <= 1 => events.push(self.end_in_failure(first.clone(), None, at)),
            Some(_) => {}
        }
        events
    }

    fn task_failed(&self, task: TaskNumber, failure: Failure, ended: Ended) -> Vec<BuildEvent> {
        let may_retry =
            self.tasks.get(task.index()).is_some_and(|task| self.may_retry(&task.track, &failure));
        let will_retry = may_retry && self.failure.is_none();
        let next = ended.attempt.next();
        let wait = Self::not_before(failure.class.back_off(next.0), ended.at);
        let Ended { attempt, usage, session_id, duration_ms, at } = ended;
        let why = failure.clone();
        let failed: BuildEvent = if failure.class == FailureClass::Timeout {
            data::TaskTimeout { task, attempt, failure, will_retry, usage, session_id, duration_ms, at }
                .into()
        } else {
            data::TaskFailed { task, attempt, failure, will_retry, usage, session_id, duration_ms, at }.into()
        };
        let mut events = vec![failed];
        if will_retry {
            events.push(data::TaskScheduled { task, attempt: next, not_before: wait }.into());
        } else if self.active <= 1 {
            events.push(self.end_in_failure(why, Some(task), at));
        }
        events
    }

    fn merge_failed(&self, failure: Failure, attempt: Attempt, at: DateTime<Utc>) -> Vec<BuildEvent> {
        let will_retry = self.may_retry(&self.merging, &failure);
        let failed = data::MergeFailed { attempt, failure: failure.clone(), will_retry, at };
        let then = if will_retry {
            let wait = Self::not_before(failure.class.back_off(attempt.next().0), at);
            data::MergeScheduled { attempt: attempt.next(), not_before: wait }.into()
        } else {
            self.end_in_failure(failure, None, at)
        };
        vec![failed.into(), then]
    }

    /// An attempt was stopped on its way, though the build still wants it: what it cost counts, and it counts as
    /// lost, not as failed.
    fn lose_at_a_cost(
        &self,
        work: Work,
        attempt: Attempt,
        usage: Usage,
        at: DateTime<Utc>,
    ) -> Vec<BuildEvent> {
        let next = self.lose(work, attempt, at);
        if usage.is_zero() {
            return next;
        }
        let over_budget = self.over_budget(&usage);
        let cost: BuildEvent = data::UsageRecorded { work, attempt, usage, at }.into();
        let mut events = std::iter::once(cost).chain(next).collect();
        if let Some(failure) = over_budget {
            self.stop_for_budget(&mut events, failure, at);
        }
        events
    }

    /// Nobody holds the attempt any more: the next one is scheduled, up to a bound.
    pub(super) fn lose(&self, work: Work, attempt: Attempt, at: DateTime<Utc>) -> Vec<BuildEvent> {
        let Some(track) = self.track(work).filter(|track| track.is_open(attempt)) else { return Vec::new() };
        if track.losses >= super::MOST_LOSSES {
            let message = format!("{} attempts at {work} were lost with their executors", track.losses + 1);
            let failure = Failure::new(FailureClass::Lost, message);
            let ended = Ended { attempt, usage: Usage::default(), session_id: None, duration_ms: 0, at };
            return match work {
                Work::Plan => self.planning_failed(failure, ended),
                Work::Task(task) => self.task_failed(task, failure, ended),
                Work::Merge => self.merge_failed(failure, attempt, at),
            };
        }
        let lost = data::AttemptLost { work, attempt, at }.into();
        let next = attempt.next();
        let again = match work {
            Work::Plan => data::PlanningScheduled { attempt: next, not_before: None }.into(),
            Work::Task(task) => data::TaskScheduled { task, attempt: next, not_before: None }.into(),
            Work::Merge => data::MergeScheduled { attempt: next, not_before: None }.into(),
        };
        vec![lost, again]
    }

    fn may_retry(&self, track: &Track, failure: &Failure) -> bool {
        let most = self.spec.as_ref().map_or(1, |spec| spec.limits.max_attempts);
        failure.class.retryable() && track.failures + 1 < most
    }

    fn over_budget(&self, more: &Usage) -> Option<Failure> {
        let most = self.spec.as_ref()?.limits.max_cost_nano_usd?;
        let spent = self.usage.total().cost_nano_usd.saturating_add(more.total().cost_nano_usd);
        (spent > most).then(|| {
            let dollars = |nano: u64| format!("{}.{:06}", nano / 1_000_000_000, nano % 1_000_000_000 / 1_000);
            let message = format!(
                "the build cost ${}, more than its limit of ${} (limits.maxCostUsd)",
                dollars(spent),
                dollars(most)
            );
            Failure::new(FailureClass::Budget, message)
        })
    }

    /// The limit on cost ends a build that would go on to spend. One that has ended, or whose tasks are all
    /// done and paid for, is left alone.
    fn stop_for_budget(&self, events: &mut Vec<BuildEvent>, failure: Failure, at: DateTime<Utc>) {
        let spends_no_more = |event: &BuildEvent| {
            matches!(
                event,
                BuildEvent::BuildCompleted(_) | BuildEvent::BuildFailed(_) | BuildEvent::MergeScheduled(_)
            )
        };
        if events.iter().any(spends_no_more) {
            return;
        }
        events.retain(|event| {
            !matches!(event, BuildEvent::TaskScheduled(_) | BuildEvent::PlanningScheduled(_))
        });
        for event in events.iter_mut() {
            match event {
                BuildEvent::PlanningFailed(e) => e.will_retry = false,
                BuildEvent::TaskFailed(e) => e.will_retry = false,
                BuildEvent::TaskTimeout(e) => e.will_retry = false,
                _ => {}
            }
        }
        events.push(self.end_in_failure(failure, None, at));
    }
}
