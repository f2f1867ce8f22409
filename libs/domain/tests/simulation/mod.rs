//! A small world around one build: executors that take work up, finish it, fail, vanish and repeat
//! themselves, and a witness that knows the rules only from the events it sees.

#![expect(unreachable_pub, clippy::unwrap_used, reason = "a test's module; a test fails by panicking")]

use crate::words::*;
use buildwright_domain::{
    Build, FailureClass, Usage,
    build::{Attempt, BuildEvent, Command, Limits, Rejection, Success, Work},
};
use plan::{Plan, TaskNumber};
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};

/// What happens next. An index picks among the work that is open at that moment.
#[derive(Debug, Clone)]
pub enum Step {
    Start(Index),
    Succeed(Index, u64),
    ClaimWithoutChange(Index, u64),
    Fail(Index, FailureClass, u64),
    Lose(Index),
    WrongOutcome(Index),
    StaleAttempt(Index),
    OutsideThePlan(u32),
    /// One of the commands given before is given again.
    Repeat(Index),
    Cancel,
    Expire,
}

/// The rules of a build, checked against its events alone.
struct Witness {
    plan: Option<Plan>,
    limits: Limits,
    completed: BTreeSet<TaskNumber>,
    /// Work that is scheduled or running, or was when the build ended.
    open: BTreeMap<Work, Attempt>,
    newest: BTreeMap<Work, Attempt>,
    first_failed: Option<TaskNumber>,
    ended: bool,
}

impl Witness {
    fn see(&mut self, event: &BuildEvent) {
        assert!(!self.ended || matches!(event, BuildEvent::UsageRecorded(_)), "after the end: {event:?}");
        match event {
            BuildEvent::PlanGenerated(e) => {
                self.open.remove(&Work::Plan);
                assert!(self.plan.replace(e.plan.clone()).is_none(), "planned twice");
            }
            BuildEvent::PlanningScheduled(e) => self.schedule(Work::Plan, e.attempt),
            BuildEvent::TaskScheduled(e) => {
                let plan = self.plan.as_ref().unwrap();
                assert!(
                    plan.predecessors(e.task).all(|before| self.completed.contains(&before)),
                    "{event:?}"
                );
                assert!(!self.completed.contains(&e.task), "scheduled after its completion: {event:?}");
                assert!(e.attempt > Attempt::FIRST || self.first_failed.is_none(), "{event:?}");
                self.schedule(Work::Task(e.task), e.attempt);
                assert!(self.open.len() <= self.limits.max_parallel.max(1) as usize, "{:?}", self.open);
            }
            BuildEvent::TaskStarted(e) => assert_eq!(self.open.get(&Work::Task(e.task)), Some(&e.attempt)),
            BuildEvent::TaskCompleted(e) => {
                self.close(Work::Task(e.task), e.attempt);
                assert!(self.completed.insert(e.task), "completed twice: {event:?}");
            }
            BuildEvent::TaskFailed(e) => self.fail(e.task, e.attempt, e.will_retry),
            BuildEvent::TaskTimeout(e) => self.fail(e.task, e.attempt, e.will_retry),
            BuildEvent::PlanningFailed(e) => self.close(Work::Plan, e.attempt),
            BuildEvent::AttemptLost(e) => self.close(e.work, e.attempt),
            BuildEvent::UsageRecorded(e) => self.close(e.work, e.attempt),
            BuildEvent::MergeScheduled(e) => {
                assert!(self.all_completed());
                self.schedule(Work::Merge, e.attempt);
            }
            BuildEvent::MergeFailed(e) => self.close(Work::Merge, e.attempt),
            BuildEvent::MergeCompleted(e) => self.close(Work::Merge, e.attempt),
            BuildEvent::BuildCompleted(_) => {
                assert!(self.all_completed() && self.open.is_empty());
                self.ended = true;
            }
            BuildEvent::BuildFailed(_) | BuildEvent::BuildCancelled(_) => self.ended = true,
            BuildEvent::BuildSubmitted(_) | BuildEvent::BuildStarted(_) | BuildEvent::PlanningStarted(_) => {}
        }
    }

    fn schedule(&mut self, work: Work, attempt: Attempt) {
        assert!(self.open.insert(work, attempt).is_none(), "{work} is already open");
        let before = self.newest.insert(work, attempt);
        assert!(before.is_none_or(|before| before < attempt), "attempt {attempt} of {work} after {before:?}");
    }

    fn close(&mut self, work: Work, attempt: Attempt) {
        assert_eq!(self.open.remove(&work), Some(attempt), "{work} was not open");
    }

    fn fail(&mut self, task: TaskNumber, attempt: Attempt, will_retry: bool) {
        self.close(Work::Task(task), attempt);
        if !will_retry {
            self.first_failed.get_or_insert(task);
        }
    }

    fn all_completed(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| self.completed.len() == plan.tasks().len())
    }
}

/// A build, its replay from what was stored, and the witness.
pub struct World {
    pub build: Build,
    replayed: Build,
    witness: Witness,
    /// What planning will answer.
    plan: Plan,
    given: Vec<Command>,
    events: usize,
    /// The sum of what was reported once of each attempt that the build knows of.
    pub reported: Usage,
}

impl World {
    pub fn new(limits: Limits, plan: Plan, planned_by_client: bool) -> Self {
        let witness = Witness {
            plan: None,
            limits: limits.clone(),
            completed: BTreeSet::new(),
            open: BTreeMap::new(),
            newest: BTreeMap::new(),
            first_failed: None,
            ended: false,
        };
        let submit = submit(spec(limits), planned_by_client.then(|| plan.clone()));
        let (build, replayed) = (Build::default(), Build::default());
        let (given, reported) = (Vec::new(), Usage::default());
        let mut world = Self { build, replayed, witness, plan, given, events: 0, reported };
        world.give(submit).unwrap();
        world
    }

    pub fn happen(&mut self, step: &Step) {
        let known: Vec<(Work, Attempt)> = self.witness.open.iter().map(|(work, at)| (*work, *at)).collect();
        let pick = |index: &Index| (!known.is_empty()).then(|| *index.get(&known));
        let command = match step {
            Step::Start(index) => pick(index).map(|(work, attempt)| start(work, attempt.0)),
            Step::Succeed(index, tokens) => pick(index).map(|(work, at)| self.success(work, at, 1, *tokens)),
            Step::ClaimWithoutChange(index, tokens) => {
                pick(index).map(|(work, attempt)| self.success(work, attempt, 0, *tokens))
            }
            Step::Fail(index, class, tokens) => pick(index).map(|(work, attempt)| {
                finish_for(work, attempt.0, Err(failure(*class)), cost(work, *tokens))
            }),
            Step::Lose(index) => pick(index).map(|(work, attempt)| lose(work, attempt.0)),
            Step::WrongOutcome(index) => pick(index).map(|(work, attempt)| match work {
                Work::Merge => finish(work, attempt.0, Ok(Success::Task(task_result(1)))),
                _ => finish(work, attempt.0, Ok(Success::Merge(merge_result()))),
            }),
            Step::StaleAttempt(index) => {
                pick(index).map(|(work, attempt)| self.success(work, Attempt(attempt.0 - 1), 1, 5))
            }
            Step::OutsideThePlan(number) => {
                let count = u32::try_from(self.plan.tasks().len()).unwrap();
                Some(succeed(count.saturating_add(*number), 1))
            }
            Step::Repeat(index) => Some(index.get(&self.given).clone()),
            Step::Cancel => Some(cancel()),
            Step::Expire => Some(Command::Expire { at: at(100_000) }),
        };
        if let Some(command) = command {
            // A refusal is as good an answer as any; what it may be is told in the stories.
            let _ = self.give(command);
        }
    }

    /// The oldest open work is answered. False if there is none.
    pub fn answer_next(&mut self, class: Option<FailureClass>) -> bool {
        let next = self.build.open_work().next().map(|(work, track)| (work, Attempt(track.attempt)));
        let Some((work, attempt)) = next else { return false };
        let command = match class {
            Some(class) => finish_for(work, attempt.0, Err(failure(class)), cost(work, 1)),
            None => self.success(work, attempt, 1, 1),
        };
        self.give(command).unwrap();
        true
    }

    fn success(&self, work: Work, attempt: Attempt, files_changed: u32, tokens: u64) -> Command {
        let success = match work {
            Work::Plan => Success::Plan(self.plan.clone()),
            Work::Task(_) => Success::Task(task_result(files_changed)),
            Work::Merge => Success::Merge(merge_result()),
        };
        finish_for(work, attempt.0, Ok(success), cost(work, tokens))
    }

    fn give(&mut self, command: Command) -> Result<(), Rejection> {
        self.given.push(command.clone());
        let told = match &command {
            Command::Finish { work, attempt, outcome, .. }
                if self.witness.open.get(work) == Some(attempt) =>
            {
                outcome.usage.clone()
            }
            _ => Usage::default(),
        };
        let failing_for = self.witness.first_failed;
        let events = self.build.decide(command)?;
        self.reported += &told;
        for event in events {
            self.witness.see(&event);
            self.build.apply(&event);
            self.store_and_replay(&event);
            if let (BuildEvent::BuildFailed(e), Some(task)) = (&event, failing_for) {
                assert_eq!(e.task, Some(task), "the build names the first task that failed");
            }
        }
        assert_eq!(self.build.status.is_terminal(), self.witness.ended);
        let open: BTreeMap<_, _> =
            self.build.open_work().map(|(work, track)| (work, Attempt(track.attempt))).collect();
        assert!(if self.witness.ended { open.is_empty() } else { open == self.witness.open });
        Ok(())
    }

    fn store_and_replay(&mut self, event: &BuildEvent) {
        let stored = event.encode().unwrap();
        let read = BuildEvent::decode(event.kind(), event.schema_version(), &stored).unwrap();
        assert_eq!(&read, event);
        self.replayed.apply(&read);
        assert_eq!(self.replayed, self.build, "after {event:?}");
        self.events += 1;
        let often = self.build.tasks.len() < 20;
        if often || self.events.is_multiple_of(50) || self.build.status.is_terminal() {
            self.survives_a_snapshot();
        }
    }

    fn survives_a_snapshot(&self) {
        let snapshot = self.build.snapshot().unwrap();
        let restored = Build::from_snapshot(Build::SNAPSHOT_VERSION, &snapshot).unwrap();
        assert_eq!(restored, self.build);
    }
}

/// A merge asks no model.
fn cost(work: Work, tokens: u64) -> Usage {
    if work == Work::Merge { Usage::default() } else { usage(tokens) }
}
