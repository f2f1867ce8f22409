//! SIGKILL at random moments of one build, twenty times.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Build, CLEARED_WITHIN, Chance, Events, Hands, Launch, Plan, ScriptedModel, Server, Task, say, write,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const KILLS: usize = 20;
const LIMIT: Duration = Duration::from_secs(120);
/// Tasks that wait for nothing, and those that each wait for two of them.
const FIRST: usize = 8;
const SECOND: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_the_real_cli_survives_sudden_death_at_twenty_random_moments() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    dies_and_finishes(server, Duration::from_millis(1_500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_of_the_scripted_executor_survives_sudden_death_at_twenty_random_moments() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    dies_and_finishes(server, Duration::from_millis(400)).await;
}

async fn dies_and_finishes(mut server: Server, most_wait: Duration) {
    // Given a build whose end is known from one that nobody disturbed
    let undisturbed = {
        let quiet = Server::start(Launch::with(Hands::Scripted)).await;
        let build = quiet.submit(&order()).await;
        build.completed(&quiet, LIMIT).await;
        build.tree(&quiet).await
    };
    assert_eq!(undisturbed.lines().count(), FIRST + SECOND);
    let mut chance = Chance::new();
    let build = server.submit(&order()).await;

    // When the process dies again and again, from before the plan to the last tasks
    let mut longest = Duration::ZERO;
    for kill in 0..KILLS {
        let before = random_moment(&server, &build, kill, chance.duration(most_wait)).await;
        longest = longest.max(server.kill9().await);
        server.restart().await;
        // Then nothing that was answered is forgotten
        let after = build.events(&server).await;
        assert_eq!(after.0[..before.0.len()], before.0[..], "after kill {kill}");
    }
    // and once more while the results are merged
    build.wait_for(&server, LIMIT, "merging", |events| events.count("merge_scheduled") > 0).await;
    server.kill9().await;
    server.restart().await;

    // Then the build is completed all the same
    let begun = Instant::now();
    build.completed(&server, LIMIT).await;
    println!("processes outlived their server by {longest:?} at most; done {:?} later", begun.elapsed());
    assert_it_is_whole(&server, &build).await;
    assert_eq!(build.tree(&server).await, undisturbed);
    server.wait_until_nothing_works(CLEARED_WITHIN).await;
    assert!(server.workspaces().is_empty(), "{:?}", server.workspaces());
}

/// Lets the build come as far as this kill's share of it, and then lets some time pass, but not enough for the
/// shares of those to come.
async fn random_moment(server: &Server, build: &Build, kill: usize, wait: Duration) -> Events {
    let share = |kill: usize| (FIRST + SECOND) * kill / (KILLS + 5);
    build.wait_for(server, LIMIT, "progress", |events| done(events) >= share(kill)).await;
    let begun = Instant::now();
    let enough = |events: &Events| begun.elapsed() >= wait || done(events) > share(kill + 1);
    let events = build.wait_for(server, LIMIT, "the moment", enough).await;
    assert!(!events.has_ended(), "too short a build for kill {kill}");
    events
}

/// Every task completed once, and the history has no gaps.
async fn assert_it_is_whole(server: &Server, build: &Build) {
    let events = build.events(server).await;
    events.assert_dense(1);
    let completions = events.completions();
    assert_eq!(completions.len(), FIRST + SECOND, "{completions:?}");
    assert!(completions.values().all(|times| *times == 1), "{completions:?}");
    for kind in ["plan_generated", "merge_completed", "build_completed"] {
        assert_eq!(events.count(kind), 1, "{kind}");
    }
    assert!(events.count("attempt_lost") > 0, "no kill hit a running attempt");
    let tasks = build.tasks(server).await;
    assert!(tasks.iter().all(|task| task["status"] == "completed"), "{:#}", Value::from(tasks));
}

fn done(events: &Events) -> usize {
    events.count("plan_generated") + events.count("task_completed")
}

fn order() -> Value {
    let first = (0..FIRST).map(|n| task(&format!("first-{n}")));
    let second = (0..SECOND).map(|n| {
        let [one, other] = [n, (n + 3) % FIRST].map(|n| format!("first-{n}"));
        task(&format!("second-{n}")).after(&[&one, &other])
    });
    let prompt = Plan::of(first.chain(second)).prompt();
    json!({ "prompt": prompt, "limits": { "maxParallel": 3 } })
}

fn task(id: &str) -> Task {
    let file = format!("{id}.txt");
    Task::file(id, &file, &[write(&file, &format!("made by {id}\n")), say("Done.", 200)])
}
