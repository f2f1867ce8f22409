//! A fleet with two processes that serve the API.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Api, ExecutorLaunch, Hands, Launch, Plan, Role, Server, SseEvent, Task, until, within,
};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

async fn with_two_doors() -> (Server, [Api; 2]) {
    let launch = Launch::fleet(Hands::Scripted).apis(2).executor(ExecutorLaunch::new().slots(4));
    let server = Server::start(launch).await;
    let doors = [server.door(1), server.door(2)];
    (server, doors)
}

fn order() -> Value {
    let tasks = (0..12).map(|n| Task::command(&format!("t{n}"), "sleep 0.1"));
    json!({ "prompt": "p", "plan": Plan::of(tasks).json() })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_door_took_the_other_shows_at_once() {
    let (_server, [one, other]) = with_two_doors().await;
    for round in 0..10 {
        let build = one.submit(&order()).await;
        for door in [&one, &other] {
            let shown = build.get(door, "").await;
            assert_eq!(shown["id"], build.id.as_str());
            let listed = door.get("/v1/builds?limit=1").await.ok();
            assert_eq!(listed["builds"][0]["id"], build.id.as_str(), "round {round}");
        }
        // What was cancelled at the other is cancelled at the one.
        let cancelled = other.post(&format!("/v1/builds/{}/cancel", build.id), &json!({})).await;
        assert_eq!(cancelled.status, 202, "{}", cancelled.text());
        assert_eq!(build.get(&one, "").await["status"], "cancelled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_at_another_door_without_gap_or_repeat() {
    let (mut server, doors) = with_two_doors().await;
    let build = doors[0].submit(&order()).await;
    let path = format!("/v1/builds/{}/events", build.id);

    // When somebody changes the door again and again, once because one is gone
    let mut seen: Vec<SseEvent> = Vec::new();
    for (turn, door) in [0, 1, 0, 1].into_iter().enumerate() {
        let last = seen.last().map(|event| event.id.clone());
        let mut stream = doors[door].follow(&path, last.as_deref()).await;
        for _ in 0..7 {
            seen.extend(within(LIMIT, "the next event", stream.next()).await);
        }
        if turn == 2 {
            server.role(Role::Api, 1).kill9();
        }
    }
    let last = seen.last().map(|event| event.id.clone());
    let mut stream = doors[1].follow(&path, last.as_deref()).await;
    while let Some(event) = within(LIMIT, "the next event", stream.next()).await {
        seen.push(event);
    }

    // Then what was seen is what happened
    assert_eq!(seen.pop().unwrap().kind, "end");
    let told: Vec<Value> = seen.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect();
    assert_eq!(told, build.events(&doors[1]).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn executors_are_shown_with_what_they_are_and_what_they_are_at() {
    let launch = Launch::fleet(Hands::Scripted)
        .lease_seconds(2)
        .executor(ExecutorLaunch::new().slots(3).label("gpu"))
        .executor(ExecutorLaunch::new().slots(1).pool("p2"));
    let mut server = Server::start(launch).await;
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", server.beside("go").display());
    let plan = Plan::of([Task::command("wait", &wait)]);
    let build = server.submit(&json!({ "prompt": "p", "plan": plan.json() })).await;

    // Then both are there, and one is at it
    let executors = async || server.get("/v1/executors").await.ok()["executors"].as_array().unwrap().clone();
    let (shown, _) = until(LIMIT, "both are there, and one is at it", || async {
        let shown = executors().await;
        let at_it = shown.iter().any(|one| one["running"].as_array().is_some_and(|at| at.len() == 1));
        (shown.len() == 2 && at_it).then_some(shown)
    })
    .await;
    let of =
        |pool: &str| shown.iter().find(|one| one["pool"] == pool).unwrap_or_else(|| panic!("{shown:#?}"));
    let (one, other) = (of("default"), of("p2"));
    assert_eq!((&one["slots"], &other["slots"]), (&json!(3), &json!(1)));
    assert_eq!((&one["labels"], &other["labels"]), (&json!(["gpu"]), &json!([])));
    assert_eq!(one["state"], "working");
    assert!(one["version"].as_str().is_some_and(|version| !version.is_empty()), "{one:#}");
    assert!(one["breaker"].to_string().contains("closed"), "{one:#}");
    assert!(one["running"].to_string().contains(&build.id), "{one:#}");

    // and one that dies is not shown for long.
    server.role(Role::Executor, 2).kill9();
    let executors = async || server.get("/v1/executors").await.ok()["executors"].as_array().unwrap().len();
    until(LIMIT, "it is off the list", || async { (executors().await == 1).then_some(()) }).await;
    std::fs::write(server.beside("go"), "").unwrap();
    build.completed(&server, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_tells_of_its_health_and_its_figures() {
    let server = Server::start(Launch::fleet(Hands::Scripted)).await;
    server.submit(&order()).await.completed(&server, LIMIT).await;
    for instance in server.instances() {
        for path in ["/healthz", "/readyz"] {
            let answer = instance.api().get(path).await;
            assert_eq!(answer.status, 200, "{} {path}: {}", instance.name(), answer.text());
        }
        let figures = instance.api().get("/metrics").await;
        assert_eq!(figures.status, 200, "{}", instance.name());
        assert!(figures.text().contains("buildwright_"), "{}: {}", instance.name(), figures.text());
    }
}
