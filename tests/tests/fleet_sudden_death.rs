//! SIGKILL of the processes of a fleet, at random moments, and what takes their place.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Build, Chance, Events, ExecutorLaunch, Hands, Launch, Marks, Plan, Role, Server, Task, until,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(120);
const KILLS: usize = 20;
const TASKS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_a_hundred_tasks_survives_twenty_sudden_deaths_of_api_driver_and_projector() {
    let launch = Launch::fleet(Hands::Scripted).executor(ExecutorLaunch::new().slots(4));
    let mut server = Server::start(launch).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let build = server.submit(&hundred_tasks(&marks)).await;

    // When one of them dies again and again, from before the first task to the last
    let mut chance = Chance::new();
    for kill in 0..KILLS {
        let role = chance.one_of(&[Role::Api, Role::Driver, Role::Projector]);
        let before = random_moment(&server, &build, kill, chance.duration(Duration::from_millis(300))).await;
        println!("kill {kill}: {role:?} after {} events", before.0.len());
        server.role(role, 1).kill9();
        server.restart().await;
        // Then nothing that was answered is forgotten
        let after = build.events(&server).await;
        assert_eq!(after.0[..before.0.len()], before.0[..], "after kill {kill}");
    }

    // and the build is completed all the same, with nothing done twice
    let begun = Instant::now();
    build.completed(&server, LIMIT).await;
    println!("done {:?} after the last kill", begun.elapsed());
    assert_nothing_was_done_twice(&server, &build, &marks).await;
    let files = build.get(&server, "/files").await;
    assert_eq!(files["files"].as_array().unwrap().len(), TASKS);
    server.all_events().await.assert_dense(1);
    assert_the_list_says_what_the_history_says(&server).await;
}

/// Tasks that each leave a mark outside and a file inside; half of them wait for one of the others.
fn hundred_tasks(marks: &Marks) -> Value {
    let command = |n: usize| format!("{}; sleep 0.05; echo {n} > {n}.txt", marks.leave());
    let tasks = (0..TASKS).map(|n| {
        let task = Task::command(&format!("t{n}"), &command(n));
        if n < TASKS / 2 { task } else { task.after(&[&format!("t{}", n - TASKS / 2)]) }
    });
    json!({ "prompt": "p", "plan": Plan::of(tasks).json(), "limits": { "maxParallel": 8 } })
}

/// Lets the build come as far as this kill's share of it, and then lets some time pass, but not enough for the
/// shares of those to come.
async fn random_moment(server: &Server, build: &Build, kill: usize, wait: Duration) -> Events {
    let done = |events: &Events| events.count("task_completed");
    let share = |kill: usize| TASKS * kill / (KILLS + 2);
    build.wait_for(server, LIMIT, "progress", |events| done(events) >= share(kill)).await;
    let begun = Instant::now();
    let enough = |events: &Events| begun.elapsed() >= wait || done(events) > share(kill + 1);
    let events = build.wait_for(server, LIMIT, "the moment", enough).await;
    assert!(!events.has_ended(), "too short a build for kill {kill}");
    events
}

/// Every attempt was begun once at most, by the history and by what it did; every task completed once.
async fn assert_nothing_was_done_twice(server: &Server, build: &Build, marks: &Marks) {
    let events = build.events(server).await;
    let started: Vec<(u64, u64)> = events
        .of("task_started")
        .map(|event| ["task", "attempt"].map(|field| event["data"][field].as_u64().unwrap()).into())
        .collect();
    let attempts: BTreeSet<_> = started.iter().collect();
    assert_eq!(attempts.len(), started.len(), "{started:?}");
    assert_begun_once(marks);
    let completions = events.completions();
    assert_eq!(completions.len(), TASKS);
    assert!(completions.values().all(|times| *times == 1), "{completions:?}");
    for kind in ["plan_generated", "merge_completed", "build_completed"] {
        assert_eq!(events.count(kind), 1, "{kind}");
    }
    println!("{} attempts, {} lost", marks.counts().len(), events.count("attempt_lost"));
}

fn assert_begun_once(marks: &Marks) {
    let twice = marks.begun_more_than_once();
    assert!(twice.is_empty(), "begun more than once: {twice:?}");
}

/// A build by itself is answered from its events, a list from what the projector has made of them.
async fn assert_the_list_says_what_the_history_says(server: &Server) {
    let listed = server.get("/v1/builds?limit=100").await.ok();
    let listed = listed["builds"].as_array().unwrap();
    assert!(!listed.is_empty());
    for row in listed {
        let folded = server.get(&format!("/v1/builds/{}", row["id"].as_str().unwrap())).await.ok();
        assert_eq!(row["costUsd"], folded["usage"]["costUsd"]);
        for field in ["status", "project", "tasks", "submittedAt", "endedAt", "labels"] {
            assert_eq!(row[field], as_much_of(&folded[field], &row[field]), "{field}: {row:#}");
        }
    }
}

/// The fields of an object that a shorter one has, too.
fn as_much_of(object: &Value, short: &Value) -> Value {
    match (object, short) {
        (Value::Object(object), Value::Object(short)) if !short.is_empty() => {
            object.clone().into_iter().filter(|(field, _)| short.contains_key(field)).collect()
        }
        (other, _) => other.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_driver_takes_over_from_one_that_died() {
    let launch = Launch::fleet(Hands::Scripted).drivers(2).executor(ExecutorLaunch::new().slots(4));
    let mut server = Server::start(launch).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let build = server.submit(&hundred_tasks(&marks)).await;

    // When one dies, and once it is there again, the other: the second death hits the one that led
    for (driver, from) in [(1, 10), (2, 40)] {
        build.wait_for(&server, LIMIT, "progress", |events| events.count("task_completed") >= from).await;
        server.role(Role::Driver, driver).kill9();
        let killed = Instant::now();
        let enough = |events: &Events| events.count("task_completed") >= from + 25;
        build.wait_for(&server, LIMIT, "progress without it", enough).await;
        println!("25 more tasks {:?} after the death of driver {driver}", killed.elapsed());
        server.restart().await;
    }
    build.completed(&server, LIMIT).await;
    assert_nothing_was_done_twice(&server, &build, &marks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_may_die_at_once() {
    let launch = Launch::fleet(Hands::Scripted)
        .lease_seconds(2)
        .with_its_own_postgres()
        .drivers(2)
        .executor(ExecutorLaunch::new().slots(2))
        .executor(ExecutorLaunch::new().slots(2));
    let mut server = Server::start(launch).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let build = server.submit(&hundred_tasks(&marks)).await;
    for share in [10, 30, 50] {
        let enough = |events: &Events| events.count("task_completed") >= share;
        let before = build.wait_for(&server, LIMIT, "progress", enough).await;
        assert_begun_once(&marks);
        server.nats().kill();
        server.postgres().kill9();
        server.kill9().await;
        server.postgres().start();
        server.nats().start_again();
        server.restart().await;
        assert_begun_once(&marks);
        let (after, _) = until(LIMIT, "the history", || async {
            Some(build.events(&server).await).filter(|after| after.0.len() >= before.0.len())
        })
        .await;
        assert_eq!(after.0[..before.0.len()], before.0[..]);
    }
    build.ended(&server, LIMIT).await;
    assert_begun_once(&marks);
    build.completed(&server, LIMIT).await;
    assert_nothing_was_done_twice(&server, &build, &marks).await;
    assert!(build.events(&server).await.count("attempt_lost") > 0, "no death hit a running attempt");
    assert_the_list_says_what_the_history_says(&server).await;
}
