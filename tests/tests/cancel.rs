//! Cancelling: nothing may go on.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Build, Hands, Launch, Plan, Process, ScriptedModel, Server, Task, bash, mentioning, until,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What the product promises.
const STOPPED_WITHIN: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(60);

/// Sleeps that stay behind when only a process, its group or its session is killed, and one deaf to signals. Their
/// lengths tell those of one test from others.
fn clinging(mark: &str) -> String {
    format!(
        "sleep {mark}1 & setsid sleep {mark}2 & (nohup setsid sleep {mark}3 >/dev/null 2>&1 &); \
         bash -c 'trap \"\" INT TERM HUP; sleep {mark}4; sleep {mark}4' & \
         env -i setsid -f sleep {mark}5; cd /; sleep {mark}6"
    )
}
const SLEEPS: usize = 6;

fn sleeps(mark: &str) -> Vec<Process> {
    let mut found = mentioning(mark);
    found.retain(|process| process.command.starts_with("sleep "));
    found
}

/// Digits that no other process has in its command line, for this test of this process: seconds, of years.
fn mark(test: u8) -> String {
    format!("3{test}{:07}", std::process::id())
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_the_real_cli_and_all_that_its_shell_started_within_two_seconds() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let mark = mark(1);
    let steps = [bash(&clinging(&mark))];
    let tasks = [Task::agent("one", &steps), Task::agent("two", &steps)];
    cancelled_while_sleeping(&server, &Plan::of(tasks), &mark, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_commands_and_the_scripted_agent_within_two_seconds() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    let mark = mark(2);
    let tasks = [Task::agent("agent", &[bash(&clinging(&mark))]), Task::command("command", &clinging(&mark))];
    cancelled_while_sleeping(&server, &Plan::of(tasks), &mark, 2).await;
}

async fn cancelled_while_sleeping(server: &Server, plan: &Plan, mark: &str, tasks: usize) {
    // Given tasks whose commands do what they can to stay
    let build = server.submit(&json!({ "prompt": "wait", "plan": plan.json() })).await;
    until(LIMIT, "every sleep has begun", || async { (sleeps(mark).len() == SLEEPS * tasks).then_some(()) })
        .await;

    // When the build is cancelled
    let asked = Instant::now();
    let answer =
        server.post(&format!("/v1/builds/{}/cancel", build.id), &json!({ "reason": "enough" })).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["status"], "cancelled");

    // Then nothing of it lives two seconds later
    server.wait_until_nothing_works(STOPPED_WITHIN).await;
    until(STOPPED_WITHIN, "the sleeps are gone", || async { sleeps(mark).is_empty().then_some(()) }).await;
    let took = asked.elapsed();
    println!("everything had stopped {took:?} after it was asked");
    assert!(took < STOPPED_WITHIN, "{took:?}");
    assert_cancelled(server, &build).await;
}

async fn assert_cancelled(server: &Server, build: &Build) {
    let ended = build.ended(server, Duration::ZERO).await;
    assert_eq!(ended["status"], "cancelled");
    let tasks = build.tasks(server).await;
    assert!(tasks.iter().all(|task| task["status"] == "cancelled"), "{:#}", Value::from(tasks));
    let events = build.events(server).await;
    assert_eq!(
        events.of("build_cancelled").map(|event| &event["data"]["reason"]).collect::<Vec<_>>(),
        ["enough"]
    );
    until(LIMIT, "the workspaces are gone", || async { server.workspaces().is_empty().then_some(()) }).await;
    // Repeating it is safe, and changes nothing.
    let again = server.post(&format!("/v1/builds/{}/cancel", build.id), &json!({})).await;
    assert!(matches!(again.status, 202 | 409), "{}", again.text());
    assert_eq!(build.events(server).await.count("build_cancelled"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_while_the_model_is_silent_stops_planning() {
    // Given a model that never answers
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let build = server.submit(&json!({ "prompt": "SCRIPTED: [{\"hang\": true}]" })).await;
    until(LIMIT, "the CLI asks the model", || async { (model.requests() > 0).then_some(()) }).await;

    // When the build is cancelled
    let answer = server.post(&format!("/v1/builds/{}/cancel", build.id), &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text());

    // Then the CLI is gone at once
    let took = server.wait_until_nothing_works(STOPPED_WITHIN).await;
    println!("planning had stopped {took:?} after it was asked");
    assert_eq!(build.ended(&server, Duration::ZERO).await["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_a_finished_task_left_is_gone_with_the_task() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let mark = mark(3);
    let leave =
        format!("(setsid nohup sleep {mark}1 >/dev/null 2>&1 &); env -i setsid -f sleep {mark}2; touch x");
    let plan =
        Plan::of([Task::agent("leaves", &[bash(&leave)]), Task::command("next", "true").after(&["leaves"])]);
    let build = server.submit(&json!({ "prompt": "leave something", "plan": plan.json() })).await;
    build.completed(&server, LIMIT).await;
    assert!(sleeps(&mark).is_empty(), "{:#?}", sleeps(&mark));
}
