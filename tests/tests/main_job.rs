//! A prompt carried through by the real Claude CLI.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{Build, Hands, Launch, ScriptedModel, Server, assert_accounts_agree, git};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_becomes_a_planned_parallel_verified_committed_build() {
    // Given a server whose CLI talks to a model that plans and writes a small program
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;

    // When somebody asks for it
    let order = json!({ "prompt": "A to-do list for the shell", "labels": { "team": "shell" } });
    let build = server.submit(&order).await;
    let ended = build.completed(&server, LIMIT).await;

    // Then it was planned by the model, and every task is done
    assert_eq!(ended["tasks"]["completed"], ended["tasks"]["total"], "{ended:#}");
    let plan = build.get(&server, "/plan").await;
    assert_eq!(plan["source"], "model");
    let tasks = build.tasks(&server).await;
    let keys: Vec<&str> = tasks.iter().map(|task| task["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["store", "format", "readme", "cli", "verify", "document"]);
    let events = build.events(&server).await;
    events.assert_dense(1);
    assert_eq!(events.kinds()[0], "build_submitted");
    assert_eq!(events.kinds().last(), Some(&"build_completed"));
    assert_eq!(events.count("task_completed"), tasks.len());
    // and what did not have to wait ran side by side
    assert!(events.most_at_once() >= 2, "one after another: {:?}", events.kinds());
    assert_each_waited_for_what_it_needs(&tasks);

    assert_the_result_is_in_git(&server, &build, &ended).await;
    assert_the_api_serves_it(&server, &build, &ended).await;
    assert_accounts_agree(&model, &ended);
    let cost = |usage: &Value| usage["costUsd"].as_f64().unwrap();
    let of_tasks: f64 = tasks.iter().map(|task| cost(&task["usage"])).sum();
    assert!(of_tasks > 0.0 && of_tasks < cost(&ended["usage"]), "planning costs something, too");
    assert_the_output_was_kept(&server, &tasks[0]).await;
    assert_eq!(server.workspaces(), Vec::<std::path::PathBuf>::new());
}

fn assert_each_waited_for_what_it_needs(tasks: &[Value]) {
    // RFC 3339 in UTC with the same precision sorts like time.
    let by_id: BTreeMap<&str, &Value> =
        tasks.iter().map(|task| (task["id"].as_str().unwrap(), task)).collect();
    for task in tasks {
        for before in task["dependsOn"].as_array().unwrap() {
            let before = by_id[before.as_str().unwrap()];
            assert!(before["endedAt"].as_str() <= task["startedAt"].as_str(), "{before:#} {task:#}");
        }
    }
}

async fn assert_the_result_is_in_git(server: &Server, build: &Build, ended: &Value) {
    let repository = build.repository(server).await;
    assert_eq!(git(&repository, &["rev-parse", "main"]).trim(), ended["result"]["commit"]);
    assert_eq!(git(&repository, &["rev-parse", "--is-bare-repository"]).trim(), "true");
    git(&repository, &["fsck", "--strict", "--no-dangling"]);
    let log = git(&repository, &["log", "--format=%s", "main"]);
    for subject in ["store: Keep the items", "format: Show the items", "document: Show how it is used"] {
        assert_eq!(log.lines().filter(|line| *line == subject).count(), 1, "{subject} in\n{log}");
    }
    // The program works, checked out by somebody else.
    let out = server.beside("clone");
    git(&server.data_dir(), &["clone", "-q", repository.to_str().unwrap(), out.to_str().unwrap()]);
    let tried = Command::new("sh").arg("check.sh").current_dir(&out).output().unwrap();
    assert!(tried.status.success(), "{tried:?}");
}

async fn assert_the_api_serves_it(server: &Server, build: &Build, ended: &Value) {
    let expected = ["README.md", "check.sh", "lib/format.sh", "lib/store.sh", "todo.sh"];
    let files = build.get(server, "/files").await;
    assert_eq!(files["commit"], ended["result"]["commit"]);
    let paths: BTreeSet<&str> =
        files["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, expected.into());
    assert_eq!(ended["result"]["filesChanged"], expected.len());

    let archive = server.get(&format!("/v1/builds/{}/archive.tar.gz", build.id)).await;
    assert_eq!(archive.status, 200);
    let listed = untar(&archive.body, &server.beside("archive"));
    let prefix = format!("{}/", build.project);
    assert_eq!(listed.iter().map(|path| path.strip_prefix(&prefix).unwrap()).collect::<BTreeSet<_>>(), paths);

    let diff = server.get(&format!("/v1/builds/{}/diff", build.id)).await;
    assert_eq!(diff.status, 200);
    for path in expected {
        assert!(diff.text().contains(&format!("diff --git a/{path} b/{path}")), "{path} in\n{}", diff.text());
    }
    let listed = server.get("/v1/builds?label=team:shell&status=completed").await.ok();
    assert_eq!(listed["builds"][0]["id"], build.id.as_str(), "{listed:#}");
}

fn untar(archive: &[u8], into: &Path) -> Vec<String> {
    std::fs::create_dir(into).unwrap();
    let file = into.join("a.tar.gz");
    std::fs::write(&file, archive).unwrap();
    let listed = Command::new("tar").arg("tzf").arg(&file).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let text = String::from_utf8(listed.stdout).unwrap();
    text.lines().filter(|line| !line.ends_with('/')).map(str::to_owned).collect()
}

async fn assert_the_output_was_kept(server: &Server, task: &Value) {
    let id = task["id"].as_str().unwrap();
    let output = server.get(&format!("/v1/tasks/{id}/output?limit=1000")).await.ok();
    let lines = output["lines"].as_array().unwrap();
    let said = |part: &str| lines.iter().any(|line| line["text"].as_str().unwrap().contains(part));
    assert!(said("The items go into a text file"), "{output:#}");
    assert!(said("\"type\":\"result\""), "{output:#}");
    let places: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
}
