//! Attempts that nobody wants any more.

use crate::{orders::*, scene::*};
use domain::FailureClass;
use plan::TaskDraft;
use serde_json::json;
use std::sync::Arc;

/// Deaf to the interrupt, with a child in a session of its own.
const CLINGING: &str =
    "trap '' INT TERM; setsid sleep 300 & echo child $!; echo process $$; while :; do sleep 300; done";

#[tokio::test]
async fn a_cancelled_command_leaves_neither_process_nor_workspace() {
    let scene = Scene::new().await;
    let order = task(1, 0, command(CLINGING));
    let running = scene.begin(&order);
    let process = scene.wait_for_line(&order, "process ").await;
    let child = scene.wait_for_line(&order, "child ").await;
    assert!(is_alive(&process) && is_alive(&child));

    running.stop.cancel();
    assert!(running.ended().await.result.is_err());
    assert!(!is_alive(&process) && !is_alive(&child));
    scene.assert_tidy();
}

#[tokio::test]
async fn a_command_that_kills_what_supervises_it_has_failed_and_leaves_nothing() {
    let scene = Scene::new().await;
    for how in ["KILL", "STOP"] {
        let script = format!("setsid sleep 300 & echo child $!; kill -{how} $PPID; sleep 300");
        let mut order = task(1, 0, command(&script));
        Arc::make_mut(&mut order.spec).limits.task_timeout_seconds = 2;
        let running = scene.begin(&order);
        let child = scene.wait_for_line(&order, "child ").await;
        assert!(running.ended().await.result.is_err());
        assert!(!is_alive(&child), "{how}");
        scene.assert_tidy();
    }
}

#[tokio::test]
async fn a_cancelled_check_leaves_neither_process_nor_workspace() {
    let scene = Scene::new().await;
    let order = task(1, 0, TaskDraft { check: Some(CLINGING.into()), ..writes("a.txt", "a") });
    let running = scene.begin(&order);
    let process = scene.wait_for_line(&order, "process ").await;
    running.stop.cancel();
    assert!(running.ended().await.result.is_err());
    assert!(!is_alive(&process));
    scene.assert_tidy();
}

#[tokio::test]
async fn a_cancelled_agent_is_lost_and_leaves_no_workspace() {
    let scene = Scene::new().await;
    let order = task(
        1,
        0,
        scripted(
            &[],
            &json!([
                { "tool": { "name": "Bash", "input": { "command": format!("({CLINGING})") } } },
            ]),
        ),
    );
    let running = scene.begin(&order);
    let child = scene.wait_for_line(&order, "child ").await;
    running.stop.cancel();
    assert_eq!(failure(running.ended().await).class, FailureClass::Lost);
    assert!(!is_alive(&child));
    scene.assert_tidy();
}

#[tokio::test]
async fn a_merge_that_nobody_wants_any_more_publishes_nothing() {
    let scene = Scene::new().await;
    let a = task_result(scene.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let running = scene.begin(&merge(1, vec![input(0, &a)]));
    running.stop.cancel();
    assert_eq!(failure(running.ended().await).class, FailureClass::Lost);
    assert_eq!(scene.main().await, None);
    scene.assert_tidy();
}
