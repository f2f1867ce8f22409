//! Histories of builds: whatever may happen to them, in any order.

use crate::scene::{Scene, build, noon};
use chrono::TimeDelta;
use domain::{
    BuildId, Failure, FailureClass, ModelUsage, Usage,
    build::{Attempt, BuildSpec, Command, Limits, MergeResult, Outcome, Success, TaskResult, Work},
};
use plan::{Bounds, DependencyDraft, Plan, PlanDraft, TaskDraft, TaskNumber};
use proptest::{prelude::*, sample::Index};

/// How many builds a history has.
pub(crate) const BUILDS: u64 = 3;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Submitted with a plan, or without.
    Submit(bool),
    Start(Index),
    Succeed(Index, u64),
    Fail(Index, FailureClass, u64),
    Lose(Index),
    Cancel,
    Expire,
}

pub(crate) fn histories() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let class = prop_oneof![
        Just(FailureClass::NoEvidence),
        Just(FailureClass::Timeout),
        Just(FailureClass::RateLimited),
        Just(FailureClass::CommandFailed),
    ];
    let step = prop_oneof![
        6 => any::<bool>().prop_map(Step::Submit),
        20 => any::<Index>().prop_map(Step::Start),
        20 => (any::<Index>(), 0..1_000_u64).prop_map(|(pick, cost)| Step::Succeed(pick, cost)),
        5 => (any::<Index>(), class, 0..1_000_u64).prop_map(|(pick, class, cost)| Step::Fail(pick, class, cost)),
        3 => any::<Index>().prop_map(Step::Lose),
        1 => Just(Step::Cancel),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec((0..BUILDS, step), 1..80)
}

impl Scene {
    pub(crate) async fn happen(&self, history: &[(u64, Step)]) {
        for (n, step) in history {
            let id = build(*n);
            // Of ended builds, too, somebody may still report.
            let works = self.builds.read(id, |loaded| {
                let tasks = (0..).map(TaskNumber).zip(&loaded.build.tasks);
                let tasks = tasks.map(|(number, task)| (Work::Task(number), &task.track));
                let others = [(Work::Plan, &loaded.build.planning), (Work::Merge, &loaded.build.merging)];
                others
                    .into_iter()
                    .chain(tasks)
                    .filter(|(_, track)| track.attempt > 0)
                    .map(|(work, track)| (work, Attempt(track.attempt)))
                    .collect::<Vec<_>>()
            });
            let works = works.await.expect("readable").unwrap_or_default();
            if let Some(command) = command(step, &works) {
                self.give(id, command).await;
            }
        }
    }

    /// A build that takes its course to the end.
    pub(crate) async fn complete(&self, id: BuildId) {
        self.give(id, submit(true)).await;
        for task in 0..4 {
            let (work, attempt) = (Work::Task(TaskNumber(task)), Attempt::FIRST);
            self.give(id, start(work, attempt)).await;
            self.give(id, finish(work, attempt, Ok(success(work)), 10)).await;
        }
        self.give(id, finish(Work::Merge, Attempt::FIRST, Ok(success(Work::Merge)), 0)).await;
    }
}

fn command(step: &Step, works: &[(Work, Attempt)]) -> Option<Command> {
    let pick = |index: &Index| (!works.is_empty()).then(|| *index.get(works));
    match step {
        Step::Submit(planned) => Some(submit(*planned)),
        Step::Start(index) => pick(index).map(|(work, attempt)| start(work, attempt)),
        Step::Succeed(index, cost) => {
            pick(index).map(|(work, attempt)| finish(work, attempt, Ok(success(work)), *cost))
        }
        Step::Fail(index, class, cost) => pick(index)
            .map(|(work, attempt)| finish(work, attempt, Err(Failure::new(*class, "it failed")), *cost)),
        Step::Lose(index) => pick(index).map(|(work, attempt)| Command::Lose { work, attempt, at: noon() }),
        Step::Cancel => Some(Command::Cancel { reason: None, at: noon() }),
        Step::Expire => Some(Command::Expire { at: noon() + TimeDelta::days(1) }),
    }
}

pub(crate) fn submit(planned: bool) -> Command {
    let spec = BuildSpec {
        prompt: "make a shop".into(),
        project: "shop".parse().expect("a name"),
        repository: None,
        framework: None,
        model: "any".into(),
        limits: Limits { max_cost_nano_usd: Some(5_000), ..Limits::default() },
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    Command::Submit { spec, plan: planned.then(diamond), at: noon() }
}

fn start(work: Work, attempt: Attempt) -> Command {
    Command::Start { work, attempt, executor: "e1".into(), at: noon() }
}

pub(crate) fn finish(work: Work, attempt: Attempt, result: Result<Success, Failure>, cost: u64) -> Command {
    let used = ModelUsage { output_tokens: cost, cost_nano_usd: cost, ..ModelUsage::default() };
    let usage = Usage { by_model: [("any".to_owned(), used)].into() };
    let outcome = Outcome { result, usage, session_id: None, duration_ms: 1 };
    Command::Finish { work, attempt, outcome, at: noon() + TimeDelta::seconds(9) }
}

pub(crate) fn success(work: Work) -> Success {
    let commit = |digit: &str| digit.repeat(40).parse().expect("an id");
    match work {
        Work::Plan => Success::Plan(diamond()),
        Work::Task(_) => Success::Task(TaskResult {
            commit: commit("1"),
            bundle: None,
            files_changed: 1,
            summary: String::new(),
        }),
        Work::Merge => Success::Merge(MergeResult {
            base: commit("2"),
            commit: commit("3"),
            branch: "main".into(),
            files_changed: 4,
        }),
    }
}

/// `b` and `c` wait for `a`, `d` waits for both.
fn diamond() -> Plan {
    let task = |id: &str| TaskDraft {
        id: id.into(),
        task_type: "agent".into(),
        prompt: "do it".into(),
        ..TaskDraft::default()
    };
    let after = |task: &str, before: &[&str]| DependencyDraft {
        task: task.into(),
        depends_on: before.iter().map(|&id| id.to_owned()).collect(),
    };
    let draft = PlanDraft {
        summary: None,
        tasks: ["a", "b", "c", "d"].map(task).to_vec(),
        dependencies: vec![after("b", &["a"]), after("c", &["a"]), after("d", &["b", "c"])],
    };
    Plan::validate(draft, &Bounds::default()).expect("a plan")
}
