//! Rare circumstances that come anyway.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    CLEARED_WITHIN, Hands, Launch, Plan, ScriptedModel, Server, Task, assert_accounts_agree, bash, git, say,
    scripted, until, write,
};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_accounts_for_every_attempt() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let overloaded = json!({ "error": { "status": 529, "retryAfter": 0 }, "times": 1 });
    let cached = json!({ "text": "Done.", "usage": { "inputTokens": 11, "outputTokens": 7,
        "cacheReadInputTokens": 130, "cacheCreationInputTokens": 1700 } });
    let tasks = [
        Task::file("a", "a.txt", &[overloaded, write("a.txt", "x"), cached]).with("check", json!("false")),
        Task::file("b", "b.txt", &[]).with("model", json!("haiku")),
    ];
    let order = json!({ "prompt": "p", "plan": Plan::of(tasks).json(), "limits": { "maxAttempts": 3 } });
    let build = server.submit(&order).await;
    build.failed(&server, LIMIT).await;
    let ended = build.get(&server, "").await;
    assert_eq!(ended["usage"]["byModel"].as_object().unwrap().len(), 2, "{ended:#}");
    assert_eq!(build.events(&server).await.count("task_failed"), 3);
    assert_accounts_agree(&model, &ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_build_accounts_for_what_it_had_used() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let plan = Plan::of([Task::agent("a", &[bash("touch started; sleep 300")])]);
    let build = server.submit(&json!({ "prompt": "p", "plan": plan.json() })).await;
    let tree = server.work_dir().join("workspaces").join(&build.id).join("task-0-1/tree/started");
    until(LIMIT, "the command has begun", || async { tree.exists().then_some(()) }).await;
    let answer = server.post(&format!("/v1/builds/{}/cancel", build.id), &json!({})).await;
    assert_eq!(answer.status, 202);
    // What it had cost is told when it has stopped, after the end of the build.
    until(LIMIT, "its cost is told", || async {
        (build.events(&server).await.count("usage_recorded") == 1).then_some(())
    })
    .await;
    assert_accounts_agree(&model, &build.get(&server, "").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_prompt_is_carried_out() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let steps = scripted(&[json!({ "structured": Plan::of([Task::file("a", "a.txt", &[])]).json() })]);
    let filling = 100_000 - steps.chars().count() - 1;
    let prompt = format!("{}\n{steps}", "漢".repeat(filling));
    assert_eq!(prompt.chars().count(), 100_000);
    let build = server.submit(&json!({ "prompt": prompt })).await;
    let ended = build.completed(&server, LIMIT).await;
    assert_eq!(ended["prompt"], prompt.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_of_one_project_at_the_same_time_all_reach_its_branch() {
    let server = Server::start(Launch::with(Hands::Scripted).slots(8)).await;
    let mut builds = Vec::new();
    for n in 0..8 {
        let file = format!("{n}.txt");
        let plan = Plan::of([Task::file("a", &file, &[write(&file, "x"), say("Done.", 50)])]);
        builds.push(server.submit(&json!({ "prompt": "p", "project": "shared", "plan": plan.json() })).await);
    }
    for build in &builds {
        build.completed(&server, LIMIT).await;
    }
    // Who builds next starts from all of it.
    let plan = Plan::of([Task::command("all", "ls; test $(ls *.txt | wc -l) -eq 8")]);
    let next = server.submit(&json!({ "prompt": "p", "project": "shared", "plan": plan.json() })).await;
    next.completed(&server, LIMIT).await;
    let tree = next.tree(&server).await;
    assert_eq!(tree.lines().count(), 8, "{tree}");
    git(&next.repository(&server).await, &["fsck", "--strict", "--no-dangling"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_writes_without_end_fills_neither_memory_nor_disk() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    let flood = "head -c 40000000 /dev/zero | tr '\\0' x; yes | head -c 20000000";
    let build =
        server.submit(&json!({ "prompt": "p", "plan": Plan::of([Task::command("f", flood)]).json() })).await;
    build.completed(&server, LIMIT).await;
    // Without the pages of the program's own file, of which a debug build has many.
    let (all, memory) = server.memory_kib();
    let kept = disk_kib(&server.beside(""));
    println!(
        "after 60 MB of output: {memory} KiB of memory, {all} with the program, {kept} KiB kept on disk"
    );
    assert!(memory < 80_000, "{memory} KiB");
    assert!(kept < 100_000, "{kept} KiB");
}

fn disk_kib(folder: &std::path::Path) -> u64 {
    let said = std::process::Command::new("du").arg("-sk").arg(folder).output().unwrap();
    String::from_utf8(said.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// A program that passes for the Claude CLI until it is asked to work.
fn impostor(home: &tempfile::TempDir, work: &str) -> PathBuf {
    let path = home.path().join("claude");
    let script =
        format!("#!/bin/sh\n[ \"$1\" = --version ] && echo '2.1.197 (Claude Code)' && exit\n{work}\n");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cli_that_misbehaves_fails_the_build_and_nothing_else() {
    let model = ScriptedModel::start().await;
    let success = r#"{"type":"result","subtype":"success","is_error":false,"result":"ok","modelUsage":{}}"#;
    for (work, class) in [
        ("exit 0".to_owned(), "crashed"),
        ("echo 'no such option' >&2; exit 1".to_owned(), "crashed"),
        ("kill -9 $$".to_owned(), "crashed"),
        ("head -c 3000000 /dev/urandom; exit 1".to_owned(), "crashed"),
        ("head -c 80000000 /dev/zero | tr '\\0' x; echo; exit 1".to_owned(), "crashed"),
        (format!("echo '{success}'"), "invalid_plan"),
        (format!("echo '{success}'; setsid sleep 300 & sleep 300"), "timeout"),
        ("exec sleep 300".to_owned(), "timeout"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let launch = Launch::with(Hands::Claude(&model)).claude(impostor(&home, &work));
        let server = Server::start(launch).await;
        let limits = json!({ "maxAttempts": 1, "taskTimeoutSeconds": 5 });
        let build = server.submit(&json!({ "prompt": "p", "limits": limits })).await;
        let (found, message) = build.failed(&server, Duration::from_secs(20)).await;
        assert_eq!(found, class, "{work}: {message}");
        assert!(message.chars().count() <= 2_001, "{work}: {message}");
        let (memory, _) = server.memory_kib();
        assert!(memory < 400_000, "{work}: {memory} KiB");
        server.wait_until_nothing_works(CLEARED_WITHIN).await;
    }
}
