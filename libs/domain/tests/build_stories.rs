//! The course of a build, told as given events, when a command comes, then these events.

mod words;

use buildwright_domain::{
    Build, FailureClass,
    build::{
        Attempt, BuildEvent, BuildStatus, Command, Limits, PlanSource, Rejection, Success, TaskStatus, Work,
    },
};
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use words::*;

fn given(events: &[BuildEvent]) -> AggregateTestExecutor<Build> {
    TestFramework::with(()).given(events.to_vec())
}

/// A build with that client's plan, after the events that follow its submission.
fn with_plan(limits: Limits, plan: plan::Plan, then: &[BuildEvent]) -> Vec<BuildEvent> {
    let mut events = vec![submitted(limits), plan_generated(plan, PlanSource::Client)];
    events.extend_from_slice(then);
    events
}

/// The diamond, with `a` running.
fn diamond_begun() -> Vec<BuildEvent> {
    with_plan(Limits::default(), diamond(), &[scheduled(0, 1), build_started(), started(0, 1)])
}

/// The diamond, with `a` done and `b` and `c` running.
fn diamond_half() -> Vec<BuildEvent> {
    let mut events = diamond_begun();
    events.extend([completed(0, 1), scheduled(1, 1), scheduled(2, 1), started(1, 1), started(2, 1)]);
    events
}

/// The diamond, with all tasks done and the merge scheduled.
fn diamond_done() -> Vec<BuildEvent> {
    let mut events = diamond_half();
    events.extend([completed(1, 1), completed(2, 1), scheduled(3, 1), started(3, 1), completed(3, 1)]);
    events.push(merge_scheduled(1, None));
    events
}

fn and(events: Vec<BuildEvent>, more: &[BuildEvent]) -> Vec<BuildEvent> {
    [events, more.to_vec()].concat()
}

fn statuses(events: &[BuildEvent]) -> Vec<TaskStatus> {
    fold(events).tasks.iter().map(|task| task.status).collect()
}

// Submitting

#[test]
fn a_prompt_alone_is_planned_first() {
    given(&[])
        .when(submit(spec(Limits::default()), None))
        .then_expect_events(vec![submitted(Limits::default()), planning_scheduled(1)]);
}

#[test]
fn with_a_plan_the_first_tasks_are_scheduled_at_once_as_many_as_may_run() {
    let wide = plan(&[("a", &[]), ("b", &["a"]), ("c", &[]), ("d", &[]), ("e", &[])]);
    given(&[]).when(submit(spec(parallel(3)), Some(wide.clone()))).then_expect_events(vec![
        submitted(parallel(3)),
        plan_generated(wide, PlanSource::Client),
        scheduled(0, 1),
        scheduled(2, 1),
        scheduled(3, 1),
    ]);
}

#[test]
fn even_a_limit_of_no_task_at_all_lets_one_run() {
    let wide = plan(&[("a", &[]), ("b", &[])]);
    let events = with_plan(parallel(0), wide.clone(), &[scheduled(0, 1)]);
    given(&[]).when(submit(spec(parallel(0)), Some(wide))).then_expect_events(events.clone());
    given(&and(events, &[started(0, 1)]))
        .when(succeed(0, 1))
        .then_expect_events(vec![completed(0, 1), scheduled(1, 1)]);
}

#[test]
fn a_build_is_submitted_once() {
    given(&[submitted(Limits::default())])
        .when(submit(spec(Limits::default()), None))
        .then_expect_error(Rejection::AlreadySubmitted);
}

#[test]
fn nothing_can_be_asked_of_a_build_that_does_not_exist() {
    let expire = Command::Expire { at: at(100_000) };
    for command in [start(Work::Plan, 1), succeed(0, 1), lose(task(0), 1), cancel(), expire] {
        given(&[]).when(command).then_expect_error(Rejection::Unknown);
    }
}

// Planning

#[test]
fn the_first_work_taken_up_starts_the_build() {
    given(&[submitted(Limits::default()), planning_scheduled(1)])
        .when(start(Work::Plan, 1))
        .then_expect_events(vec![build_started(), planning_started(1)]);
}

fn planning() -> Vec<BuildEvent> {
    vec![submitted(parallel(1)), planning_scheduled(1), build_started(), planning_started(1)]
}

#[test]
fn saying_twice_that_an_attempt_was_taken_up_changes_nothing() {
    given(&planning()).when(start(Work::Plan, 1)).then_expect_events(vec![]);
}

#[test]
fn a_second_executor_is_refused_an_attempt_that_another_holds() {
    let (work, attempt) = (Work::Plan, Attempt(1));
    given(&planning())
        .when(Command::Start { work, attempt, executor: "e2".into(), at: now() })
        .then_expect_error(Rejection::HeldByAnother { work, attempt });
}

#[test]
fn a_plan_that_was_made_is_carried_out() {
    given(&planning())
        .when(finish(Work::Plan, 1, Ok(Success::Plan(diamond()))))
        .then_expect_events(vec![plan_generated(diamond(), PlanSource::Model), scheduled(0, 1)]);
}

#[test]
fn planning_that_failed_is_tried_again_until_its_attempts_are_used_up() {
    let invalid = FailureClass::InvalidPlan;
    let again = [planning_failed(1, invalid, true), planning_scheduled(2)];
    given(&planning()).when(finish(Work::Plan, 1, Err(failure(invalid)))).then_expect_events(again.to_vec());
    given(&and(planning(), &again))
        .when(finish(Work::Plan, 2, Err(failure(invalid))))
        .then_expect_events(vec![planning_failed(2, invalid, false), build_failed(failure(invalid), None)]);
}

#[test]
fn planning_is_not_tried_again_when_another_try_would_fail_too() {
    let class = FailureClass::Credential;
    given(&planning())
        .when(finish(Work::Plan, 1, Err(failure(class))))
        .then_expect_events(vec![planning_failed(1, class, false), build_failed(failure(class), None)]);
}

// Tasks and the merge

#[test]
fn a_task_releases_what_waited_for_it_alone() {
    given(&diamond_begun()).when(succeed(0, 1)).then_expect_events(vec![
        completed(0, 1),
        scheduled(1, 1),
        scheduled(2, 1),
    ]);
    given(&diamond_half()).when(succeed(2, 1)).then_expect_events(vec![completed(2, 1)]);
    given(&and(diamond_half(), &[completed(2, 1)]))
        .when(succeed(1, 1))
        .then_expect_events(vec![completed(1, 1), scheduled(3, 1)]);
}

#[test]
fn no_more_tasks_are_scheduled_than_may_run_and_always_the_first_of_the_plan() {
    let wide = plan(&[("first", &["a"]), ("a", &[]), ("b", &[]), ("c", &[]), ("d", &[])]);
    let events = with_plan(parallel(2), wide, &[scheduled(1, 1), scheduled(2, 1)]);
    given(&events).when(succeed(2, 1)).then_expect_events(vec![completed(2, 1), scheduled(3, 1)]);
    // What this very completion releases stands before what was ready already.
    given(&events).when(succeed(1, 1)).then_expect_events(vec![completed(1, 1), scheduled(0, 1)]);

    let events = and(events, &[completed(1, 1), scheduled(0, 1)]);
    given(&events).when(succeed(0, 1)).then_expect_events(vec![completed(0, 1), scheduled(3, 1)]);
}

#[test]
fn the_largest_limit_on_parallel_tasks_is_only_a_number() {
    let events = with_plan(parallel(u32::MAX), diamond(), &[scheduled(0, 1)]);
    given(&events).when(succeed(0, 1)).then_expect_events(vec![
        completed(0, 1),
        scheduled(1, 1),
        scheduled(2, 1),
    ]);
}

#[test]
fn after_the_last_task_all_is_merged_and_the_build_is_complete() {
    let mut events = diamond_done();
    let (last, before) = (events.pop().unwrap(), events.pop().unwrap());
    given(&events).when(succeed(3, 1)).then_expect_events(vec![before, last]);

    given(&diamond_done()).when(start(Work::Merge, 1)).then_expect_events(vec![]);
    given(&diamond_done())
        .when(finish(Work::Merge, 1, Ok(Success::Merge(merge_result()))))
        .then_expect_events(vec![merge_completed(1), build_completed()]);

    let build = fold(&and(diamond_done(), &[merge_completed(1), build_completed()]));
    assert_eq!(build.status, BuildStatus::Completed);
    assert_eq!((build.completed, build.result), (4, Some(merge_result())));
}

#[test]
fn a_merge_is_tried_again_where_that_can_help() {
    let (resource, conflict) = (FailureClass::Resource, FailureClass::MergeConflict);
    given(&diamond_done())
        .when(finish(Work::Merge, 1, Err(failure(resource))))
        .then_expect_events(vec![merge_failed(1, resource, true), merge_scheduled(2, Some(at(11)))]);
    given(&diamond_done())
        .when(finish(Work::Merge, 1, Err(failure(conflict))))
        .then_expect_events(vec![merge_failed(1, conflict, false), build_failed(failure(conflict), None)]);
}

#[test]
fn success_without_a_change_is_a_failure_where_a_change_was_owed() {
    let nothing = || finish(task(0), 1, Ok(Success::Task(task_result(0))));
    let events = given(&diamond_begun()).when(nothing()).inspect_result().unwrap();
    let BuildEvent::TaskFailed(failed) = &events[0] else { panic!("{events:?}") };
    assert_eq!((failed.failure.class, failed.will_retry), (FailureClass::NoEvidence, true));
    assert_eq!(events[1..], [scheduled(0, 2)]);

    for task_type in ["agent", "install_deps", "command"] {
        let free = typed_plan(task_type, &[("a", &[])]);
        let events = with_plan(Limits::default(), free, &[scheduled(0, 1), started(0, 1)]);
        let events = given(&events).when(nothing()).inspect_result().unwrap();
        assert!(matches!(events[0], BuildEvent::TaskCompleted(_)), "{task_type}: {events:?}");
    }
}

#[test]
fn an_outcome_of_another_kind_of_work_is_refused() {
    let merge = || Ok(Success::Merge(merge_result()));
    given(&diamond_begun())
        .when(finish(task(0), 1, merge()))
        .then_expect_error(Rejection::WrongOutcome { work: task(0) });
    given(&planning())
        .when(finish(Work::Plan, 1, Ok(Success::Task(task_result(1)))))
        .then_expect_error(Rejection::WrongOutcome { work: Work::Plan });
    given(&diamond_done())
        .when(finish(Work::Merge, 1, Ok(Success::Plan(diamond()))))
        .then_expect_error(Rejection::WrongOutcome { work: Work::Merge });
}

// Attempts

#[test]
fn an_attempt_that_is_not_the_current_one_changes_nothing() {
    let crashed = failure(FailureClass::Crashed);
    let retried = and(diamond_begun(), &[failed(0, 1, crashed, true), scheduled(0, 2)]);
    for attempt in [0, 1, 3] {
        let stale = Attempt(attempt);
        given(&retried)
            .when(start(task(0), attempt))
            .then_expect_error(Rejection::Stale { work: task(0), attempt: stale });
        given(&retried).when(succeed(0, attempt)).then_expect_events(vec![]);
        given(&retried).when(fail(0, attempt, FailureClass::Internal)).then_expect_events(vec![]);
        given(&retried).when(lose(task(0), attempt)).then_expect_events(vec![]);
    }
    given(&retried).when(start(task(0), 2)).then_expect_events(vec![started(0, 2)]);
}

#[test]
fn a_task_outside_the_plan_changes_nothing() {
    let work = task(4);
    let attempt = Attempt(1);
    given(&diamond_begun()).when(start(work, 1)).then_expect_error(Rejection::Stale { work, attempt });
    given(&diamond_begun()).when(succeed(4, 1)).then_expect_events(vec![]);
    given(&diamond_begun()).when(lose(work, 1)).then_expect_events(vec![]);
}

#[test]
fn an_outcome_told_twice_counts_once() {
    let done = and(diamond_begun(), &[completed(0, 1), scheduled(1, 1), scheduled(2, 1)]);
    given(&done).when(succeed(0, 1)).then_expect_events(vec![]);
    given(&done).when(fail(0, 1, FailureClass::Crashed)).then_expect_events(vec![]);
}

#[test]
fn an_outcome_that_overtakes_its_start_counts() {
    let events = with_plan(Limits::default(), diamond(), &[scheduled(0, 1)]);
    given(&events).when(succeed(0, 1)).then_expect_events(vec![
        completed(0, 1),
        scheduled(1, 1),
        scheduled(2, 1),
    ]);
}

#[test]
fn a_task_that_took_too_long_is_tried_again_and_then_stays_timed_out() {
    let timeout = FailureClass::Timeout;
    let once = [timed_out(0, 1, true), scheduled(0, 2), started(0, 2)];
    given(&diamond_begun()).when(fail(0, 1, timeout)).then_expect_events(once[..2].to_vec());

    let twice = [timed_out(0, 2, false), build_failed(failure(timeout), Some(0))];
    let events = and(diamond_begun(), &once);
    given(&events).when(fail(0, 2, timeout)).then_expect_events(twice.to_vec());
    let skipped = TaskStatus::Skipped;
    assert_eq!(statuses(&and(events, &twice)), [TaskStatus::Timeout, skipped, skipped, skipped]);
}

#[test]
fn a_service_that_needs_time_is_given_more_at_every_retry() {
    let limited = FailureClass::RateLimited;
    let limits = Limits { max_attempts: 9, ..Limits::default() };
    let mut events = with_plan(limits, diamond(), &[scheduled(0, 1)]);
    for (attempt, seconds) in (1u32..).zip([1, 2, 4, 8, 16, 32, 60, 60]) {
        let wait = at(10 + seconds);
        let then = [failed(0, attempt, failure(limited), true), scheduled_after(0, attempt + 1, Some(wait))];
        given(&events).when(fail(0, attempt, limited)).then_expect_events(then.to_vec());
        events.extend(then);
    }
    given(&events).when(fail(0, 9, limited)).then_expect_events(vec![
        failed(0, 9, failure(limited), false),
        build_failed(failure(limited), Some(0)),
    ]);
}

#[test]
fn a_lost_attempt_is_made_again_and_does_not_count_as_failed() {
    let crashed = FailureClass::Crashed;
    let again = [lost(task(0), 1), scheduled(0, 2)];
    given(&diamond_begun()).when(lose(task(0), 1)).then_expect_events(again.to_vec());
    given(&and(diamond_begun(), &again))
        .when(fail(0, 2, crashed))
        .then_expect_events(vec![failed(0, 2, failure(crashed), true), scheduled_after(0, 3, Some(at(12)))]);

    given(&planning())
        .when(lose(Work::Plan, 1))
        .then_expect_events(vec![lost(Work::Plan, 1), planning_scheduled(2)]);
    given(&diamond_done())
        .when(lose(Work::Merge, 1))
        .then_expect_events(vec![lost(Work::Merge, 1), merge_scheduled(2, None)]);
}

#[test]
fn an_attempt_that_was_stopped_on_its_way_is_lost_and_its_cost_counts() {
    let stopped = || Err(failure(FailureClass::Lost));
    given(&diamond_begun()).when(finish_for(task(0), 1, stopped(), usage(5))).then_expect_events(vec![
        usage_recorded(task(0), 1, usage(5)),
        lost(task(0), 1),
        scheduled(0, 2),
    ]);
    given(&diamond_begun())
        .when(finish(task(0), 1, stopped()))
        .then_expect_events(vec![lost(task(0), 1), scheduled(0, 2)]);
}
