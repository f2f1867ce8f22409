//! As much at once as was asked for.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{Events, Hands, Launch, Plan, ScriptedModel, Server, Task, bash, git, write};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_tasks_of_the_scripted_executor_run_at_once() {
    let server = Server::start(Launch::with(Hands::Scripted).slots(50)).await;
    let events = all_meet(&server, 50).await;
    assert_eq!(events.most_at_once(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_tasks_of_the_real_cli_run_at_once() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model)).slots(10)).await;
    let events = all_meet(&server, 10).await;
    assert_eq!(events.most_at_once(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_tasks_run_at_once_than_the_build_allows() {
    let server = Server::start(Launch::with(Hands::Scripted).slots(50)).await;
    let tasks = (0..9).map(|n| Task::command(&format!("t{n}"), "sleep 0.1"));
    let order = json!({ "prompt": "p", "plan": Plan::of(tasks).json(), "limits": { "maxParallel": 3 } });
    let build = server.submit(&order).await;
    build.completed(&server, Duration::from_secs(60)).await;
    assert_eq!(build.events(&server).await.most_at_once(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_of_many_builds_start_from_a_repository_that_moves() {
    let server =
        Server::start(Launch::with(Hands::Scripted).env("BUILDWRIGHT_ALLOW_LOCAL_REPOSITORIES", "true"));
    let server = server.await;
    let source = server.beside("source");
    std::fs::create_dir(&source).unwrap();
    git(&source, &["init", "-qb", "trunk"]);
    for round in 1..=3 {
        // Given a repository that has moved on since the last builds
        std::fs::write(source.join("round.txt"), format!("{round}\n")).unwrap();
        git(&source, &["add", "."]);
        git(&source, &["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "a round"]);

        // When several builds of a project begin there at once, each with several tasks
        let copy = |n| format!("cp round.txt copy{round}-{n}.txt");
        let tasks = (0..4).map(|n| Task::agent(&format!("t{n}"), &[bash(&copy(n))]));
        let order = json!({
            "prompt": "p", "plan": Plan::of(tasks).json(), "project": "shop",
            "repository": { "url": source.to_str().unwrap(), "branch": "trunk" }, "limits": { "maxAttempts": 1 },
        });
        let builds = [server.submit(&order).await, server.submit(&order).await];

        // Then each has it as it is now
        for build in builds {
            build.completed(&server, Duration::from_secs(60)).await;
            let copied = git(
                &build.repository(&server).await,
                &["cat-file", "-p", &format!("main:copy{round}-3.txt")],
            );
            assert_eq!(copied, format!("{round}\n"));
        }
    }
}

/// Tasks each of which ends only once all of them have begun.
async fn all_meet(server: &Server, count: usize) -> Events {
    let place = server.beside("meeting");
    std::fs::create_dir(&place).unwrap();
    let tasks = (0..count).map(|n| {
        let place = place.display();
        let meet = format!(
            "touch {place}/{n}; until [ \"$(ls {place} | wc -l)\" -ge {count} ]; do sleep 0.2; done; echo met"
        );
        Task::agent(&format!("t{n}"), &[bash(&meet), write(&format!("t{n}.txt"), "we met\n")])
    });
    let limits = json!({ "maxParallel": count, "taskTimeoutSeconds": 100, "maxAttempts": 1 });
    let order = json!({ "prompt": "meet", "plan": Plan::of(tasks).json(), "limits": limits });
    let build = server.submit(&order).await;
    let ended = build.completed(server, Duration::from_secs(110)).await;
    println!("{count} tasks met and were merged in {} ms", ended["durationMs"]);
    let files = build.get(server, "/files").await;
    assert_eq!(files["files"].as_array().unwrap().len(), count);
    let events = build.events(server).await;
    events.assert_dense(1);
    assert_eq!(events.completions().len(), count);
    events
}
