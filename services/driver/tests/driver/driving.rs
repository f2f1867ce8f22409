//! From a prompt to a result, with reports that come more than once or too late.

use crate::{builds::*, scene::*};
use domain::{
    FailureClass,
    build::{Attempt, BuildStatus, Work},
};
use ports::{TaskInput, WorkKind};

fn numbers(inputs: &[TaskInput]) -> Vec<u32> {
    inputs.iter().map(|input| input.number.0).collect()
}

#[tokio::test]
async fn a_build_is_driven_from_its_prompt_to_its_result() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(None)).await;
    let executor = process.executor(2);
    scene.wait_for_kind(build(1), "build_completed").await;

    let mut taken: Vec<_> = executor.taken.lock().unwrap().iter().map(|(work, _)| *work).collect();
    taken[2..4].sort();
    assert_eq!(taken, [Work::Plan, task(0), task(1), task(2), task(3), Work::Merge]);
    let state = scene.state(build(1)).await;
    assert_eq!((state.status, state.completed), (BuildStatus::Completed, 4));
    process.end().await;
}

#[tokio::test]
async fn an_order_brings_the_results_it_builds_on() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(diamond())).await;
    for wanted in [vec![task(0)], vec![task(1), task(2)], vec![task(3)]] {
        for lease in process.take_many(wanted.len()).await {
            let work = lease.order().work;
            assert!(wanted.contains(&work));
            let WorkKind::Task { inputs, task, .. } = &lease.order().kind else { panic!("{work}") };
            let expected: &[u32] = match task.key.as_str() {
                "a" => &[],
                "b" | "c" => &[0],
                _ => &[1, 2],
            };
            assert_eq!(numbers(inputs), expected);
            for input in inputs {
                assert!(input.commit.as_str().starts_with(&(input.number.0 + 1).to_string()));
                assert_eq!(
                    input.bundle.as_ref().map(|key| key.as_str().to_owned()),
                    Some(format!("builds/x/task-{}.bundle", input.number))
                );
                assert!(input.title.starts_with("Title of "));
            }
            process.carry_out(lease, success(work)).await;
        }
    }
    let merge = process.take().await;
    let WorkKind::Merge { inputs } = &merge.order().kind else { panic!("{:?}", merge.order().work) };
    assert_eq!(numbers(inputs), [3], "what nothing waits for");
    process.end().await;
}

#[tokio::test]
async fn reports_that_come_again_change_nothing() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(None)).await;
    let mut earlier = Vec::new();
    for _ in 0..6 {
        let lease = process.take().await;
        let order = lease.order().clone();
        for _ in 0..3 {
            process.started(&order).await;
        }
        for _ in 0..3 {
            process.finished(&order, success(order.work)).await;
        }
        lease.settle().await;
        earlier.push(order);
        for order in &earlier {
            process.started(order).await;
            process.finished(order, failure(FailureClass::Internal, "a late lie")).await;
        }
    }
    scene.wait_for_kind(build(1), "build_completed").await;
    let mut kinds = scene.kinds(build(1)).await;
    kinds.sort_unstable();
    let mut expected = vec!["build_submitted", "build_started", "planning_scheduled", "planning_started"];
    expected.extend(["plan_generated", "merge_scheduled", "merge_completed", "build_completed"]);
    expected.extend(["task_scheduled", "task_started", "task_completed"].repeat(4));
    expected.sort_unstable();
    assert_eq!(kinds, expected);
    process.end().await;
}

#[tokio::test]
async fn who_starts_an_attempt_that_is_not_the_current_one_is_told_to_stop() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(diamond())).await;
    let old = process.take().await;
    process.give(build(1), lose(task(0))).await;
    let new = process.take().await;
    assert_eq!((old.order().attempt, new.order().attempt), (Attempt(1), Attempt(2)));

    process.started(old.order()).await;
    soon(old.revoked().cancelled()).await;
    process.started(new.order()).await;
    process.finished(old.order(), success(task(0))).await;
    process.finished(new.order(), failure(FailureClass::CheckFailed, "the check said no")).await;
    scene.wait_for_kind(build(1), "task_failed").await;
    assert!(!new.revoked().is_cancelled());
    assert_eq!(scene.state(build(1)).await.completed, 0, "the old attempt's success does not count");
    process.end().await;
}

#[tokio::test]
async fn the_next_attempt_is_told_why_the_last_one_failed() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(diamond())).await;
    let first = process.take().await;
    process.carry_out(first, failure(FailureClass::CheckFailed, "the check said no")).await;
    let second = process.take().await;
    assert_eq!(second.order().attempt, Attempt(2));
    let WorkKind::Task { previous_failure, .. } = &second.order().kind else { panic!("a task") };
    assert_eq!(previous_failure.as_deref(), Some("the check said no"));

    process.give(build(2), submit(None)).await;
    let first = process.take().await;
    process.carry_out(first, failure(FailureClass::InvalidPlan, "the plan is a circle")).await;
    let second = process.take().await;
    let WorkKind::Plan { previous_failure } = &second.order().kind else { panic!("planning") };
    assert_eq!(previous_failure.as_deref(), Some("the plan is a circle"));
    process.end().await;
}

#[tokio::test]
async fn a_cancelled_build_stops_what_is_held_and_drops_what_waits() {
    let scene = Scene::new().await;
    let process = scene.process();
    process.give(build(1), submit(independent(5))).await;
    process.give(build(2), submit(diamond())).await;
    let leases = process.take_many(6).await;
    let (theirs, mut ours): (Vec<_>, Vec<_>) =
        leases.into_iter().partition(|lease| lease.order().build == build(2));
    // Two of the five wait again.
    ours.truncate(3);
    soon(async {
        while process.queue.waiting() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    process.give(build(1), cancel()).await;
    for lease in &ours {
        soon(lease.revoked().cancelled()).await;
    }
    assert_eq!(process.queue.waiting(), 0);
    assert!(theirs.iter().all(|lease| !lease.revoked().is_cancelled()), "the other build goes on");
    process.end().await;
}
