//! How a build ends before its work is done, told as given events, when a command comes, then these events.

mod words;

use buildwright_domain::{
    Build, FailureClass, Usage,
    build::{BuildEvent, BuildStatus, Command, Limits, PlanSource, Rejection, Success, TaskStatus, Work},
};
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use words::*;

/// So often may an attempt be lost; once more is too often.
const MOST_LOSSES: u32 = 50;

fn given(events: &[BuildEvent]) -> AggregateTestExecutor<Build> {
    TestFramework::with(()).given(events.to_vec())
}

/// `a`, `b` and `c` wait for nothing, `d` waits for `a`. Two may run, and `a` and `b` do.
fn two_running(limits: &Limits) -> Vec<BuildEvent> {
    let plan = plan(&[("a", &[]), ("b", &[]), ("c", &[]), ("d", &["a"])]);
    vec![
        submitted(Limits { max_parallel: 2, ..limits.clone() }),
        plan_generated(plan, PlanSource::Client),
        scheduled(0, 1),
        scheduled(1, 1),
        build_started(),
        started(0, 1),
        started(1, 1),
    ]
}

/// The same, after `a` failed for good.
fn draining() -> Vec<BuildEvent> {
    and(two_running(&Limits::default()), &[failed(0, 1, failure(FailureClass::MergeConflict), false)])
}

fn and(events: Vec<BuildEvent>, more: &[BuildEvent]) -> Vec<BuildEvent> {
    [events, more.to_vec()].concat()
}

fn statuses(build: &Build) -> Vec<TaskStatus> {
    build.tasks.iter().map(|task| task.status).collect()
}

// A task fails for good

#[test]
fn when_a_task_fails_for_good_nothing_new_begins() {
    let class = FailureClass::MergeConflict;
    given(&two_running(&Limits::default())).when(fail(0, 1, class)).then_expect_events(vec![failed(
        0,
        1,
        failure(class),
        false,
    )]);
    let build = fold(&draining());
    assert_eq!((build.status, build.failed_task.map(|task| task.0)), (BuildStatus::Executing, Some(0)));
}

#[test]
fn what_runs_then_may_finish_and_the_build_fails_naming_the_first_task_that_failed() {
    let first = build_failed(failure(FailureClass::MergeConflict), Some(0));
    let end = vec![completed(1, 1), first.clone()];
    given(&draining()).when(succeed(1, 1)).then_expect_events(end.clone());

    let build = fold(&and(draining(), &end));
    assert_eq!(build.status, BuildStatus::Failed);
    assert_eq!(
        statuses(&build),
        [TaskStatus::Failed, TaskStatus::Completed, TaskStatus::Skipped, TaskStatus::Skipped]
    );
    assert_eq!(
        (build.failure, build.failed_task.unwrap().0),
        (Some(failure(FailureClass::MergeConflict)), 0)
    );

    // A second failure is not tried again, however little would be wrong with that.
    let crashed = FailureClass::Crashed;
    given(&draining())
        .when(fail(1, 1, crashed))
        .then_expect_events(vec![failed(1, 1, failure(crashed), false), first]);
}

#[test]
fn an_attempt_lost_while_the_build_is_failing_is_made_again() {
    given(&draining()).when(lose(task(1), 1)).then_expect_events(vec![lost(task(1), 1), scheduled(1, 2)]);
}

#[test]
fn a_failing_build_keeps_its_first_reason_however_it_ends() {
    let first = build_failed(failure(FailureClass::MergeConflict), Some(0));
    let BuildEvent::BuildFailed(expected) = first else { panic!() };

    let expire = Command::Expire { at: at(100_000) };
    let costly = finish_for(task(1), 1, Err(failure(FailureClass::Crashed)), usage(1_000));
    let mut limited = draining();
    limited[0] = submitted(Limits { max_parallel: 3, max_cost_nano_usd: Some(1), ..Limits::default() });
    limited.insert(4, scheduled(2, 1));
    for (events, command) in [(draining(), expire), (limited, costly)] {
        let events = given(&events).when(command).inspect_result().unwrap();
        let Some(BuildEvent::BuildFailed(ended)) = events.last() else { panic!("{events:?}") };
        assert_eq!((&ended.failure, ended.task), (&expected.failure, expected.task));
    }
}

#[test]
fn work_that_keeps_losing_its_executor_fails_in_the_end() {
    let mut events = two_running(&Limits::default());
    for attempt in 1..=MOST_LOSSES {
        let again = [lost(task(0), attempt), scheduled(0, attempt + 1)];
        given(&events).when(lose(task(0), attempt)).then_expect_events(again.to_vec());
        events.extend(again);
    }
    let end = given(&events).when(lose(task(0), MOST_LOSSES + 1)).inspect_result().unwrap();
    let [BuildEvent::TaskFailed(last)] = &end[..] else { panic!("{end:?}") };
    assert_eq!((last.failure.class, last.will_retry), (FailureClass::Lost, false));
    assert_eq!(last.failure.message, "51 attempts at task-0 were lost with their executors");

    // What runs beside it may finish, as after every failure.
    let events = and(events, &end);
    let end = given(&events).when(succeed(1, 1)).inspect_result().unwrap();
    assert_eq!(end, [completed(1, 1), build_failed(last.failure.clone(), Some(0))]);
    assert_eq!(statuses(&fold(&and(events, &end)))[0], TaskStatus::Failed);
}

#[test]
fn planning_and_merging_that_keep_losing_their_executor_fail_too() {
    let planning = vec![submitted(Limits::default()), planning_scheduled(1)];
    let one = plan(&[("a", &[])]);
    let merging = vec![
        submitted(Limits::default()),
        plan_generated(one, PlanSource::Client),
        scheduled(0, 1),
        completed(0, 1),
        merge_scheduled(1, None),
    ];
    for (work, mut build) in [(Work::Plan, fold(&planning)), (Work::Merge, fold(&merging))] {
        let mut last = Vec::new();
        for attempt in 1..=MOST_LOSSES + 1 {
            assert!(!build.status.is_terminal());
            last = build.decide(lose(work, attempt)).unwrap();
            last.iter().for_each(|event| build.apply(event));
        }
        let Some(BuildEvent::BuildFailed(ended)) = last.last() else { panic!("{last:?}") };
        assert_eq!((ended.failure.class, ended.task), (FailureClass::Lost, None));
    }
}

// The limit on cost

fn limited(nano_usd: u64) -> Vec<BuildEvent> {
    two_running(&Limits { max_cost_nano_usd: Some(nano_usd), ..Limits::default() })
}

fn succeed_for(number: u32, usage: Usage) -> Command {
    finish_for(task(number), 1, Ok(Success::Task(task_result(1))), usage)
}

/// The events of a build that ended over its limit: all but the last, which is checked here.
#[expect(clippy::panic, reason = "a test fails by panicking")]
fn stopped_for_budget(mut events: Vec<BuildEvent>, message: &str) -> Vec<BuildEvent> {
    let Some(BuildEvent::BuildFailed(ended)) = events.pop() else { panic!("{events:?}") };
    assert_eq!((ended.failure.class, ended.task), (FailureClass::Budget, None));
    assert_eq!(ended.failure.message, message);
    events
}

#[test]
fn a_build_may_cost_its_limit_but_no_more() {
    given(&limited(5_000))
        .when(succeed_for(0, usage(5)))
        .then_expect_events(vec![completed_for(0, 1, usage(5)), scheduled(2, 1)]);

    let events = given(&limited(5_000)).when(succeed_for(0, usage(6))).inspect_result().unwrap();
    let message = "the build cost $0.000006, more than its limit of $0.000005 (limits.maxCostUsd)";
    assert_eq!(stopped_for_budget(events, message), [completed_for(0, 1, usage(6))]);
}

#[test]
fn what_was_spent_before_counts() {
    let spent = and(limited(5_000), &[completed_for(0, 1, usage(3)), scheduled(2, 1), started(2, 1)]);
    let events = given(&spent).when(succeed_for(1, usage(3))).inspect_result().unwrap();
    let message = "the build cost $0.000006, more than its limit of $0.000005 (limits.maxCostUsd)";
    assert_eq!(stopped_for_budget(events, message), [completed_for(1, 1, usage(3))]);
}

#[test]
fn over_the_limit_a_failed_attempt_is_not_followed_by_another_and_does_not_say_so() {
    let crashed = failure(FailureClass::Crashed);
    let message = "the build cost $0.000006, more than its limit of $0.000005 (limits.maxCostUsd)";

    let command = finish_for(task(0), 1, Err(crashed.clone()), usage(6));
    let events = given(&limited(5_000)).when(command).inspect_result().unwrap();
    let before = stopped_for_budget(events.clone(), message);
    assert_eq!(before, [failed_for(0, 1, crashed.clone(), false, usage(6))]);
    let build = fold(&and(limited(5_000), &events));
    assert_eq!(statuses(&build)[..2], [TaskStatus::Failed, TaskStatus::Cancelled]);

    let limits = Limits { max_cost_nano_usd: Some(5_000), ..Limits::default() };
    let planning = [submitted(limits), planning_scheduled(1), build_started(), planning_started(1)];
    let command = finish_for(Work::Plan, 1, Err(crashed), usage(6));
    let events = given(&planning).when(command).inspect_result().unwrap();
    let before = stopped_for_budget(events, message);
    let [BuildEvent::PlanningFailed(failed)] = &before[..] else { panic!("{before:?}") };
    assert!(!failed.will_retry);
}

#[test]
fn over_the_limit_an_attempt_that_was_stopped_on_its_way_is_not_made_again() {
    let message = "the build cost $0.000006, more than its limit of $0.000005 (limits.maxCostUsd)";
    let command = finish_for(task(0), 1, Err(failure(FailureClass::Lost)), usage(6));
    let events = given(&limited(5_000)).when(command).inspect_result().unwrap();
    let before = stopped_for_budget(events.clone(), message);
    assert_eq!(before, [usage_recorded(task(0), 1, usage(6)), lost(task(0), 1)]);
    assert_eq!(fold(&and(limited(5_000), &events)).status, BuildStatus::Failed);
}

#[test]
fn a_plan_that_cost_more_than_the_limit_is_kept_but_not_begun() {
    let limits = Limits { max_cost_nano_usd: Some(5_000), ..Limits::default() };
    let planning = [submitted(limits), planning_scheduled(1), build_started(), planning_started(1)];
    let command = finish_for(Work::Plan, 1, Ok(Success::Plan(diamond())), usage(6));
    let events = given(&planning).when(command).inspect_result().unwrap();
    assert_eq!(events.iter().map(BuildEvent::kind).collect::<Vec<_>>(), ["plan_generated", "build_failed"]);
}

#[test]
fn a_build_whose_tasks_are_all_paid_for_is_merged_whatever_they_cost() {
    let limits = Limits { max_cost_nano_usd: Some(1), ..Limits::default() };
    let events =
        [submitted(limits), plan_generated(plan(&[("a", &[])]), PlanSource::Client), scheduled(0, 1)];
    given(&events)
        .when(succeed_for(0, usage(6)))
        .then_expect_events(vec![completed_for(0, 1, usage(6)), merge_scheduled(1, None)]);
}

// Cancelling and expiring

#[test]
fn a_build_can_be_cancelled_until_it_has_ended_and_again() {
    let running = two_running(&Limits::default());
    given(&running).when(cancel()).then_expect_events(vec![build_cancelled()]);
    given(&[submitted(Limits::default()), planning_scheduled(1)])
        .when(cancel())
        .then_expect_events(vec![build_cancelled()]);
    given(&and(running, &[build_cancelled()])).when(cancel()).then_expect_events(vec![]);

    let failure = failure(FailureClass::Crashed);
    for end in [build_completed(), build_failed(failure, None)] {
        given(&and(draining(), &[end])).when(cancel()).then_expect_error(Rejection::Ended);
    }
}

#[test]
fn cancelling_cancels_every_task_that_was_not_over() {
    let build = fold(&and(draining(), &[build_cancelled()]));
    assert_eq!(build.status, BuildStatus::Cancelled);
    let cancelled = TaskStatus::Cancelled;
    assert_eq!(statuses(&build), [TaskStatus::Failed, cancelled, cancelled, cancelled]);
    assert_eq!(build.open_work().count(), 0);
    assert_eq!(build.ended_at, Some(now()));
}

#[test]
fn nothing_can_be_started_in_a_build_that_has_ended() {
    given(&and(two_running(&Limits::default()), &[build_cancelled()]))
        .when(start(task(0), 1))
        .then_expect_error(Rejection::Ended);
}

#[test]
fn a_build_expires_at_its_deadline_and_not_before() {
    let limits = Limits { build_timeout_seconds: 30, ..Limits::default() };
    let running = two_running(&limits);
    assert_eq!(fold(&running).deadline(), Some(at(30)));
    given(&running).when(Command::Expire { at: at(29) }).then_expect_events(vec![]);

    let events = given(&running).when(Command::Expire { at: at(30) }).inspect_result().unwrap();
    let [BuildEvent::BuildFailed(ended)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((ended.failure.class, ended.task, ended.at), (FailureClass::Timeout, None, at(30)));
    assert!(ended.failure.message.contains("its limit of 30 s"), "{}", ended.failure);

    let ended = and(running, &events);
    given(&ended).when(Command::Expire { at: at(31) }).then_expect_events(vec![]);
}

// Cost that is told late

#[test]
fn what_a_stopped_attempt_cost_is_recorded_once() {
    let cancelled = and(two_running(&Limits::default()), &[build_cancelled()]);
    let crashed = || Err(failure(FailureClass::Crashed));
    let told = usage_recorded(task(0), 1, usage(9));
    given(&cancelled)
        .when(finish_for(task(0), 1, crashed(), usage(9)))
        .then_expect_events(vec![told.clone()]);
    given(&and(cancelled.clone(), std::slice::from_ref(&told)))
        .when(finish_for(task(0), 1, crashed(), usage(9)))
        .then_expect_events(vec![]);
    // A success that came too late is a cost and nothing else.
    let late = finish_for(task(1), 1, Ok(Success::Task(task_result(1))), usage(1));
    let told_too = usage_recorded(task(1), 1, usage(1));
    given(&cancelled).when(late).then_expect_events(vec![told_too.clone()]);

    let build = fold(&and(cancelled, &[told, told_too]));
    assert_eq!((&build.usage, &build.tasks[0].usage), (&usage(10), &usage(9)));
    assert_eq!(statuses(&build)[..2], [TaskStatus::Cancelled, TaskStatus::Cancelled]);
}

#[test]
fn the_cost_of_an_attempt_whose_start_came_too_late_is_recorded_too() {
    let scheduled = two_running(&Limits::default())[..4].to_vec();
    let cancelled = and(scheduled, &[build_cancelled()]);
    given(&cancelled).when(start(task(0), 1)).then_expect_error(Rejection::Ended);
    given(&cancelled)
        .when(finish_for(task(0), 1, Err(failure(FailureClass::Crashed)), usage(9)))
        .then_expect_events(vec![usage_recorded(task(0), 1, usage(9))]);
}

#[test]
fn of_an_attempt_that_had_ended_before_no_cost_is_recorded_again() {
    let done = and(two_running(&Limits::default()), &[completed_for(0, 1, usage(9)), build_cancelled()]);
    given(&done).when(succeed_for(0, usage(9))).then_expect_events(vec![]);

    // Nor of one that was given up and speaks after all: another attempt stands in its place.
    let lost_before = and(two_running(&Limits::default()), &[lost(task(0), 1), scheduled(0, 2)]);
    given(&and(lost_before, &[build_cancelled()])).when(succeed_for(0, usage(9))).then_expect_events(vec![]);
}
