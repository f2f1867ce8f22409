//! Whatever the plan and whatever happens to its tasks, in any order: the rules of a build hold.

mod simulation;
mod words;

use buildwright_domain::{
    Build, Failure, FailureClass, ModelUsage, Usage,
    build::{Attempt, BuildEvent, BuildStatus, Command, Limits, Outcome, PlanSource, Success, Work, data},
};
use chrono::{DateTime, Utc};
use plan::{Bounds, DependencyDraft, Plan, PlanDraft, TaskDraft};
use proptest::{prelude::*, sample::Index};
use simulation::{Step, World};
use words::*;

const CLASSES: [FailureClass; 17] = [
    FailureClass::ModelError,
    FailureClass::RateLimited,
    FailureClass::ModelRefused,
    FailureClass::Credential,
    FailureClass::Timeout,
    FailureClass::Crashed,
    FailureClass::TurnLimit,
    FailureClass::Budget,
    FailureClass::NoEvidence,
    FailureClass::CheckFailed,
    FailureClass::CommandFailed,
    FailureClass::MergeConflict,
    FailureClass::InvalidPlan,
    FailureClass::Repository,
    FailureClass::Resource,
    FailureClass::Lost,
    FailureClass::Internal,
];

/// Plans whose numbering is not the order of their dependencies.
fn plans(most: usize) -> impl Strategy<Value = Plan> {
    (1..=most).prop_flat_map(|count| {
        let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        let pairs = prop::collection::vec((0..count, 0..count), 0..2 * count);
        let owing = prop::collection::vec(any::<bool>(), count);
        (order, pairs, owing).prop_map(|(order, pairs, owing)| acyclic(&order, &pairs, &owing))
    })
}

#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn acyclic(order: &[usize], pairs: &[(usize, usize)], owing: &[bool]) -> Plan {
    let id = |task: usize| format!("t{task}");
    let task = |(number, owes): (usize, &bool)| TaskDraft {
        id: id(number),
        task_type: if *owes { "create_file" } else { "agent" }.into(),
        prompt: "do it".into(),
        targets: vec![format!("{number}.txt")],
        ..TaskDraft::default()
    };
    let dependencies = pairs
        .iter()
        .filter(|(a, b)| a != b)
        .map(|(a, b)| DependencyDraft { task: id(order[*a.max(b)]), depends_on: vec![id(order[*a.min(b)])] });
    let draft = PlanDraft {
        summary: None,
        tasks: owing.iter().enumerate().map(task).collect(),
        dependencies: dependencies.collect(),
    };
    Plan::validate(draft, &Bounds::default()).unwrap()
}

fn limits() -> impl Strategy<Value = Limits> {
    let max_cost = prop_oneof![3 => Just(None), 1 => (0..200_000u64).prop_map(Some)];
    (0..12u32, 0..4u32, max_cost).prop_map(|(max_parallel, max_attempts, max_cost_nano_usd)| Limits {
        max_parallel,
        max_attempts,
        max_cost_nano_usd,
        ..Limits::default()
    })
}

/// What happens, with failures as often as the given weight says (of about 2,000).
fn steps(failures: u32) -> impl Strategy<Value = Vec<Step>> {
    let index = any::<Index>;
    let step = prop_oneof![
        600 => index().prop_map(Step::Start),
        900 => (index(), 0..20u64).prop_map(|(index, tokens)| Step::Succeed(index, tokens)),
        failures => (index(), 0..20u64).prop_map(|(index, tokens)| Step::ClaimWithoutChange(index, tokens)),
        2 * failures => (index(), prop::sample::select(&CLASSES[..]), 0..20u64)
            .prop_map(|(index, class, tokens)| Step::Fail(index, class, tokens)),
        40 => index().prop_map(Step::Lose),
        20 => index().prop_map(Step::WrongOutcome),
        100 => index().prop_map(Step::StaleAttempt),
        20 => (0..3u32).prop_map(Step::OutsideThePlan),
        200 => index().prop_map(Step::Repeat),
        1 => Just(Step::Cancel),
        1 => Just(Step::Expire),
    ];
    prop::collection::vec(step, 0..500)
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![Just(1u32), Just(10), Just(100)].prop_flat_map(steps)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(96))]

    // The rules themselves are in the simulation's witness, checked at every event.
    #[test]
    fn a_build_keeps_its_rules_and_comes_to_an_end(
        plan in prop_oneof![3 => plans(12), 1 => plans(200)],
        limits in limits(),
        planned_by_client in any::<bool>(),
        happenings in any_steps(),
        answers in prop::collection::vec(prop::option::weighted(0.02, prop::sample::select(&CLASSES[..])), 50),
        afterwards in steps(100),
    ) {
        let most_answers = (plan.tasks().len() + 2) * 4;
        let mut world = World::new(limits, plan, planned_by_client);
        for step in &happenings {
            world.happen(step);
        }
        let answered = answers.iter().cycle().take(most_answers).take_while(|class| world.answer_next(**class));
        prop_assert!(answered.count() < most_answers, "still going on");
        prop_assert!(world.build.status.is_terminal(), "nothing is left to do, but it has not ended");
        for step in &afterwards[..afterwards.len().min(50)] {
            world.happen(step);
        }
        prop_assert_eq!(&world.build.usage, &world.reported);
    }

    #[test]
    fn a_build_to_which_nothing_bad_happens_is_completed(plan in plans(200), max_parallel in 1..20u32) {
        let tasks = plan.tasks().len();
        let mut world = World::new(parallel(max_parallel), plan, false);
        while world.answer_next(None) {}
        prop_assert_eq!(world.build.status, BuildStatus::Completed);
        prop_assert_eq!(world.build.completed as usize, tasks);
    }
}

// Nonsense

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    prop_oneof![Just(DateTime::<Utc>::MIN_UTC), Just(DateTime::<Utc>::MAX_UTC), (0..1_000i64).prop_map(at)]
}

/// A number likely to mean something, or one that never does.
fn any_number() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..6u32, 1 => Just(u32::MAX), 1 => any::<u32>()]
}

fn any_work() -> impl Strategy<Value = Work> {
    prop_oneof![1 => Just(Work::Plan), 1 => Just(Work::Merge), 4 => any_number().prop_map(task)]
}

fn any_usage() -> impl Strategy<Value = Usage> {
    prop_oneof![Just(0u64), Just(u64::MAX), 0..9u64].prop_map(|n| {
        let usage = ModelUsage { input_tokens: n, cost_nano_usd: n, ..ModelUsage::default() };
        Usage {
            by_model: [("a", usage), ("b", usage)].map(|(model, usage)| (model.to_owned(), usage)).into(),
        }
    })
}

fn any_limits() -> impl Strategy<Value = Limits> {
    (any_number(), any_number(), any_number(), any_number(), prop::option::of(0..9u64)).prop_map(
        |(task_timeout_seconds, build_timeout_seconds, max_parallel, max_attempts, max_cost_nano_usd)| {
            Limits {
                task_timeout_seconds,
                build_timeout_seconds,
                max_cost_nano_usd,
                max_parallel,
                max_attempts,
            }
        },
    )
}

fn any_result() -> impl Strategy<Value = Result<Success, Failure>> {
    prop_oneof![
        2 => prop::sample::select(&CLASSES[..]).prop_map(|class| Err(failure(class))),
        1 => plans(5).prop_map(|plan| Ok(Success::Plan(plan))),
        2 => (0..2u32).prop_map(|files| Ok(Success::Task(task_result(files)))),
        1 => Just(Ok(Success::Merge(merge_result()))),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    let attempt = || any_number().prop_map(Attempt);
    prop_oneof![
        1 => (any_limits(), prop::option::of(plans(5)), any_time())
            .prop_map(|(limits, plan, at)| Command::Submit { spec: spec(limits), plan, at }),
        3 => (any_work(), attempt(), any_time()).prop_map(|(work, attempt, at)| {
            Command::Start { work, attempt, executor: "e1".into(), at }
        }),
        6 => (any_work(), attempt(), any_result(), any_usage(), any_time()).prop_map(
            |(work, attempt, result, usage, at)| {
                let outcome = Outcome { result, usage, session_id: None, duration_ms: u64::MAX };
                Command::Finish { work, attempt, outcome, at }
            }
        ),
        2 => (any_work(), attempt(), any_time())
            .prop_map(|(work, attempt, at)| Command::Lose { work, attempt, at }),
        1 => any_time().prop_map(|at| Command::Cancel { reason: None, at }),
        1 => any_time().prop_map(|at| Command::Expire { at }),
    ]
}

/// Events in no order that `decide` would give them.
fn any_event() -> impl Strategy<Value = BuildEvent> {
    let some_plan = plans(5).prop_map(|plan| plan_generated(plan, PlanSource::Model));
    let usage_of = (any_work(), any_number(), any_usage());
    prop_oneof![
        (any_limits(), any_time())
            .prop_map(|(limits, at)| data::BuildSubmitted { spec: spec(limits), at }.into()),
        Just(build_started()),
        any_number().prop_map(planning_scheduled),
        any_number().prop_map(planning_started),
        any_number().prop_map(|attempt| planning_failed(attempt, FailureClass::Crashed, true)),
        some_plan,
        (any_number(), any_number()).prop_map(|(task, attempt)| scheduled(task, attempt)),
        (any_number(), any_number()).prop_map(|(task, attempt)| started(task, attempt)),
        (any_number(), any_number(), any_usage())
            .prop_map(|(task, attempt, usage)| completed_for(task, attempt, usage)),
        (any_number(), any_number(), any::<bool>()).prop_map(|(task, attempt, will_retry)| {
            failed(task, attempt, failure(FailureClass::Crashed), will_retry)
        }),
        (any_number(), any_number(), any::<bool>())
            .prop_map(|(task, attempt, will_retry)| timed_out(task, attempt, will_retry)),
        (any_work(), any_number()).prop_map(|(work, attempt)| lost(work, attempt)),
        any_number().prop_map(|attempt| merge_scheduled(attempt, None)),
        any_number().prop_map(merge_completed),
        any_number().prop_map(|attempt| merge_failed(attempt, FailureClass::Resource, true)),
        usage_of.prop_map(|(work, attempt, usage)| usage_recorded(work, attempt, usage)),
        Just(build_completed()),
        any_number().prop_map(|task| build_failed(failure(FailureClass::Crashed), Some(task))),
        Just(build_cancelled()),
    ]
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn no_command_makes_any_build_panic(
        events in prop::collection::vec(any_event(), 0..30),
        commands in prop::collection::vec(any_command(), 1..30),
    ) {
        let mut build = fold(&events);
        for command in commands {
            for event in build.decide(command).unwrap_or_default() {
                build.apply(&event);
            }
            let _ = (build.deadline(), build.open_work().count(), build.track(task(u32::MAX)));
        }
        let snapshot = build.snapshot().unwrap_or_default();
        let _ = Build::from_snapshot(Build::SNAPSHOT_VERSION, &snapshot);
    }
}
