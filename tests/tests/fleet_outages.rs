//! A fleet whose PostgreSQL or NATS is gone for a while.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Answer, Api, Build, Events, ExecutorLaunch, Hands, Launch, Marks, Plan, Server, Task, until,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);
/// Nobody waits longer for an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
const TASKS: usize = 60;

fn launch() -> Launch {
    let two = || ExecutorLaunch::new().slots(2);
    Launch::fleet(Hands::Scripted).lease_seconds(2).with_its_own_postgres().executor(two()).executor(two())
}

fn order(marks: &Marks) -> Value {
    let command = |n: usize| format!("{}; sleep 0.1; echo {n} > {n}.txt", marks.leave());
    let tasks = (0..TASKS).map(|n| Task::command(&format!("t{n}"), &command(n)));
    json!({ "prompt": "p", "plan": Plan::of(tasks).json(), "limits": { "maxParallel": 8 } })
}

fn small_order() -> Value {
    json!({ "prompt": "p", "plan": Plan::of([Task::command("t", "true")]).json() })
}

async fn answer(api: &Api, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let mut request = api.request(method.clone(), path).timeout(ANSWERED_WITHIN);
    if let Some(body) = body {
        request = request.json(body);
    }
    let begun = Instant::now();
    let answer = api.send(request).await;
    println!("{method} {path}: {} after {:?}", answer.status, begun.elapsed());
    answer
}

/// Refused for now, and told when to come again.
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.problem_pointers().is_empty());
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds to wait");
    assert!((1..=60).contains(&seconds), "{seconds}");
}

fn assert_begun_once(marks: &Marks) {
    let twice = marks.begun_more_than_once();
    assert!(twice.is_empty(), "begun more than once: {twice:?}");
}

async fn progress(server: &Server, build: &Build, tasks: usize) {
    let enough = |events: &Events| events.count("task_completed") >= tasks;
    build.wait_for(server, LIMIT, "progress", enough).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_survives_the_death_of_postgresql_the_death_of_nats_and_the_loss_of_all_that_nats_had() {
    let mut server = Server::start(launch()).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let build = server.submit(&order(&marks)).await;

    progress(&server, &build, 5).await;
    server.postgres().kill9();
    server.postgres().start();
    until(LIMIT, "the API answers again", || async {
        (answer(&server, Method::GET, "/v1/builds", None).await.status == 200).then_some(())
    })
    .await;

    progress(&server, &build, 20).await;
    server.nats().kill();
    server.nats().start_again();

    progress(&server, &build, 35).await;
    server.nats().stop();
    server.nats().wipe_data();
    server.nats().start_again();

    let begun = Instant::now();
    build.ended(&server, LIMIT).await;
    assert_begun_once(&marks);
    build.completed(&server, LIMIT).await;
    println!("done {:?} after the last of it", begun.elapsed());
    let events = build.events(&server).await;
    events.assert_dense(1);
    let completions = events.completions();
    assert_eq!(completions.len(), TASKS);
    assert!(completions.values().all(|times| *times == 1), "{completions:?}");
    println!("{} attempts, {} lost", marks.counts().len(), events.count("attempt_lost"));
    assert_eq!(build.get(&server, "/files").await["files"].as_array().unwrap().len(), TASKS);
    server.all_events().await.assert_dense(1);
    // and the fleet is as good as new.
    server.submit(&small_order()).await.completed(&server, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_every_request_is_told_to_come_again_and_nothing_is_half_done() {
    let server = Server::start(launch()).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let build = server.submit(&order(&marks)).await;
    progress(&server, &build, 5).await;

    // When it is gone
    server.postgres().kill9();
    let path = format!("/v1/builds/{}", build.id);
    for _ in 0..3 {
        assert_unavailable(&answer(&server, Method::POST, "/v1/builds", Some(&small_order())).await);
        assert_unavailable(&answer(&server, Method::GET, "/v1/builds", None).await);
        assert_unavailable(&answer(&server, Method::GET, &path, None).await);
        let cancel = format!("{path}/cancel");
        assert_unavailable(&answer(&server, Method::POST, &cancel, Some(&json!({}))).await);
    }
    assert_eq!(answer(&server, Method::GET, "/healthz", None).await.status, 200);
    assert_unavailable(&answer(&server, Method::GET, "/readyz", None).await);

    // Then, once it is back, all goes on, and nothing of what was refused is there
    server.postgres().start();
    until(LIMIT, "it is ready", || async {
        (answer(&server, Method::GET, "/readyz", None).await.status == 200).then_some(())
    })
    .await;
    build.completed(&server, LIMIT).await;
    let listed = server.get("/v1/builds").await.ok();
    assert_eq!(listed["builds"].as_array().unwrap().len(), 1, "{listed:#}");
    let all = server.all_events().await;
    all.assert_dense(1);
    assert_eq!(all.count("build_submitted"), 1);
    server.submit(&small_order()).await.completed(&server, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_builds_are_read_and_taken_or_told_to_come_again_and_done_later() {
    let mut server = Server::start(launch()).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let build = server.submit(&order(&marks)).await;
    progress(&server, &build, 5).await;

    // When it is gone
    server.nats().kill();
    let mut taken = vec![build];
    for _ in 0..5 {
        let submitted = answer(&server, Method::POST, "/v1/builds", Some(&small_order())).await;
        match submitted.status {
            202 => {
                let id = submitted.json()["id"].as_str().unwrap().to_owned();
                let project = submitted.json()["project"].as_str().unwrap().to_owned();
                taken.push(Build { id, project });
            }
            _ => assert_unavailable(&submitted),
        }
        assert_eq!(answer(&server, Method::GET, "/v1/builds", None).await.status, 200);
        let executors = answer(&server, Method::GET, "/v1/executors", None).await;
        if executors.status != 200 {
            assert_unavailable(&executors);
        }
    }

    // Then, once it is back, whatever was taken is done, and nothing else
    server.nats().start_again();
    for build in &taken {
        build.ended(&server, LIMIT).await;
    }
    assert_begun_once(&marks);
    for build in &taken {
        build.completed(&server, LIMIT).await;
    }
    let listed = server.get("/v1/builds").await.ok();
    assert_eq!(listed["builds"].as_array().unwrap().len(), taken.len(), "{listed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_comes_and_goes_while_orders_come_in_loses_none_and_doubles_none() {
    // Given somebody who submits one build after the other, and submits again what was refused
    let server = Server::start(launch()).await;
    let customer = tokio::spawn(customer((*server).clone()));

    // When PostgreSQL dies a few times meanwhile
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await; // Whenever: all moments are good.
        server.postgres().kill9();
        server.postgres().start();
    }
    let (taken, unsure) = customer.await.unwrap();

    // Then whatever was taken is there and is done; of what was refused, each is there as a whole or not at all
    for build in &taken {
        build.completed(&server, LIMIT).await;
    }
    let all = server.all_events().await;
    all.assert_dense(1);
    let submitted = all.count("build_submitted");
    println!("{} builds were taken, {unsure} orders refused, {submitted} builds are there", taken.len());
    assert!((taken.len()..=taken.len() + unsure).contains(&submitted));
    until(LIMIT, "each is completed", || async {
        (server.all_events().await.count("build_completed") == submitted).then_some(())
    })
    .await;
}

/// Forty orders: what was taken, and how often an order was refused.
async fn customer(api: Api) -> (Vec<Build>, usize) {
    let (mut taken, mut refused) = (Vec::new(), 0);
    while taken.len() < 40 {
        let submitted = answer(&api, Method::POST, "/v1/builds", Some(&small_order())).await;
        if submitted.status == 202 {
            let text = |field: &str| submitted.json()[field].as_str().unwrap().to_owned();
            taken.push(Build { id: text("id"), project: text("project") });
            tokio::time::sleep(Duration::from_millis(20)).await; // They come one by one.
        } else {
            assert_unavailable(&submitted);
            refused += 1;
            tokio::time::sleep(Duration::from_millis(100)).await; // As one who comes again later.
        }
    }
    (taken, refused)
}
