//! Following events and output while a build goes on.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Hands, Launch, Plan, ScriptedModel, Server, Sse, SseEvent, Task, bash, say, within,
};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn plan() -> Value {
    let tasks = (0..12)
        .map(|n| Task::agent(&format!("t{n}"), &[bash(&format!("echo {n} > {n}.txt")), say("Done.", 50)]));
    Plan::of(tasks).json()
}

/// So many events, or all up to the end of the stream.
async fn take(stream: &mut Sse, most: usize) -> Vec<SseEvent> {
    let mut events = Vec::new();
    while events.len() < most {
        match within(LIMIT, "the next event", stream.next()).await {
            Some(event) => events.push(event),
            None => break,
        }
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_who_comes_back_sees_every_event_exactly_once() {
    // Given a build that goes on, followed by somebody who loses the connection again and again
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    let build = server.submit(&json!({ "prompt": "p", "plan": plan() })).await;
    let path = format!("/v1/builds/{}/events", build.id);
    let mut seen: Vec<SseEvent> = Vec::new();
    for _ in 0..4 {
        let last = seen.last().map(|event| event.id.clone());
        let mut stream = server.follow(&path, last.as_deref()).await;
        seen.extend(take(&mut stream, 9).await);
    }
    let last = seen.last().map(|event| event.id.clone());
    seen.extend(take(&mut server.follow(&path, last.as_deref()).await, usize::MAX).await);

    // Then what was seen is what happened
    let end = seen.pop().unwrap();
    assert_eq!((end.kind.as_str(), end.data.as_str()), ("end", r#"{"reason":"ended"}"#));
    let told: Vec<Value> = seen.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect();
    let events = build.events(&server).await;
    assert_eq!(told, events.0);
    for (event, stored) in seen.iter().zip(&events.0) {
        assert_eq!(
            (event.id.clone(), event.kind.as_str()),
            (stored["sequence"].to_string(), stored["type"].as_str().unwrap())
        );
    }
    // and one who comes when all is over is told so at once
    let rest = take(&mut server.follow(&path, Some(&seen.last().unwrap().id)).await, usize::MAX).await;
    assert_eq!(rest, [end]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_log_can_be_followed_over_builds_and_the_death_of_the_server() {
    let mut server = Server::start(Launch::with(Hands::Scripted)).await;
    let first = server.submit(&json!({ "prompt": "p", "plan": plan() })).await;
    let mut stream = server.follow("/v1/events", None).await;
    let mut seen = take(&mut stream, 20).await;
    server.kill9().await;
    server.restart().await;
    let second = server.submit(&json!({ "prompt": "p", "plan": plan() })).await;
    let mut stream = server.follow("/v1/events", Some(&seen.last().unwrap().id)).await;
    first.completed(&server, LIMIT).await;
    second.completed(&server, LIMIT).await;
    let all = server.all_events().await;
    all.assert_dense(1);
    seen.extend(take(&mut stream, all.0.len() - seen.len()).await);
    let told: Vec<Value> = seen.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect();
    assert_eq!(told, all.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_claude_does_is_seen_while_it_does_it() {
    // Given a task whose command speaks, and goes on only when it was heard
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let heard = server.beside("heard");
    let speak = format!("until [ -e {} ]; do sleep 0.05; done; echo heard > a.txt", heard.display());
    let plan = Plan::of([
        Task::agent("a", &[json!({ "text": "Can you hear me?" }), say("Done.", 0)]),
        Task::command("b", &format!("echo can you hear me, too; {speak}")),
    ]);
    let mut steps = plan.json();
    steps["tasks"][0]["prompt"] = json!(buildwright_blackbox::scripted(&[
        json!({ "text": "Can you hear me?", "tool": { "name": "Bash", "input": { "command": speak } } }),
        say("Done.", 0),
    ]));
    let build = server.submit(&json!({ "prompt": "p", "plan": steps })).await;
    let tasks = build.tasks(&server).await;

    // When somebody follows both, and lets them go on once each was heard
    let mut streams = Vec::new();
    for (task, words) in tasks.iter().zip(["Can you hear me?", "can you hear me, too"]) {
        let path = format!("/v1/tasks/{}/output", task["id"].as_str().unwrap());
        let mut stream = server.follow(&path, None).await;
        let mut lines: Vec<SseEvent> = Vec::new();
        while !lines.last().is_some_and(|line| line.data.contains(words)) {
            lines.push(within(LIMIT, words, stream.next()).await.expect("it goes on"));
        }
        streams.push((path, stream, lines));
    }
    std::fs::write(&heard, "").unwrap();

    // Then the streams end with the tasks, and hold what the history holds
    for (path, mut stream, mut lines) in streams {
        lines.extend(take(&mut stream, usize::MAX).await);
        assert_eq!(lines.pop().unwrap().kind, "end");
        let told: Vec<Value> = lines.iter().map(|line| serde_json::from_str(&line.data).unwrap()).collect();
        let history = server.get(&format!("{path}?limit=1000")).await.ok();
        assert_eq!(Value::from(told), history["lines"]);
    }
    build.completed(&server, LIMIT).await;
}
