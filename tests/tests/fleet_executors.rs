//! Executors of a fleet: how work comes to them, and what becomes of it when they go.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Build, ExecutorLaunch, Hands, Launch, Marks, Plan, Role, Server, SmallDisk, Task, bash, say, until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

const LIMIT: Duration = Duration::from_secs(60);
const LEASE_SECONDS: u64 = 4;

fn one() -> ExecutorLaunch {
    ExecutorLaunch::new().slots(1)
}

/// Two executors with a slot each, and a short lease.
fn two() -> Launch {
    Launch::fleet(Hands::Scripted).lease_seconds(LEASE_SECONDS).executor(one()).executor(one())
}

/// A task whose attempts each leave a mark, and then each wait for a file of their own: `go-1`, `go-2`.
fn waiting(server: &Server, marks: &Marks) -> Task {
    let go = server.beside("go");
    let wait = format!(
        "{}; number=${{here##*-}}; until [ -e {}-$number ]; do sleep 0.05; done; echo $number > result.txt",
        marks.leave(),
        go.display()
    );
    Task::command("slow", &wait)
}

fn let_go(server: &Server, attempt: usize) {
    fs::write(server.beside(&format!("go-{attempt}")), "").unwrap();
}

/// Submits a build of such a task, and returns it with the number of the executor that is at it.
async fn begun(server: &Server, marks: &Marks) -> (Build, usize) {
    let task = waiting(server, marks);
    let build = server.submit(&json!({ "prompt": "p", "plan": Plan::of([task]).json() })).await;
    let executor = executor_at(server, &build, 1).await;
    until(LIMIT, "its mark", || async { marks.counts().contains_key("task-0-1").then_some(()) }).await;
    (build, executor)
}

/// The number of the executor that is at an attempt at the first task, once one is.
async fn executor_at(server: &Server, build: &Build, attempt: usize) -> usize {
    let what = format!("attempt {attempt} begins");
    let (found, took) = until(LIMIT, &what, || async {
        let started =
            build.events(server).await.of("task_started").any(|it| it["data"]["attempt"] == attempt);
        server.executors_at(&build.id, 0, attempt).first().copied().filter(|_| started)
    })
    .await;
    println!("{what} after {took:?}");
    found
}

/// The task was done once, by its second attempt, which another executor began.
async fn assert_done_by_the_second_attempt(server: &Server, build: &Build, marks: &Marks) {
    let events = build.events(server).await;
    events.assert_dense(1);
    let of_task = |kind: &str| -> Vec<u64> {
        events.of(kind).map(|event| event["data"]["attempt"].as_u64().unwrap()).collect()
    };
    assert_eq!((of_task("task_started"), of_task("task_completed")), (vec![1, 2], vec![2]));
    assert_eq!((of_task("attempt_lost"), of_task("task_failed")), (vec![1], vec![]));
    let by: Vec<&Value> = events.of("task_started").map(|event| &event["data"]["executor"]).collect();
    assert_ne!(by[0], by[1]);
    assert_eq!(marks.counts(), BTreeMap::from([("task-0-1".to_owned(), 1), ("task-0-2".to_owned(), 1)]));
    assert_eq!(build.file(server, "result.txt").await, "2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_task_of_an_executor_that_died_runs_again_elsewhere() {
    let mut server = Server::start(two()).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let (build, first) = begun(&server, &marks).await;

    // When the executor dies with it
    server.role(Role::Executor, first).kill9();
    let second = executor_at(&server, &build, 2).await;
    assert_ne!(first, second);

    // Then it is done elsewhere, also when the first comes back
    server.restart().await;
    let_go(&server, 1);
    let_go(&server, 2);
    build.completed(&server, LIMIT).await;
    assert_done_by_the_second_attempt(&server, &build, &marks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_is_told_too_late_and_from_the_spool_changes_nothing() {
    // Given an executor that does its task but can tell nobody
    let mut server = Server::start(
        Launch::fleet(Hands::Scripted)
            .lease_seconds(LEASE_SECONDS)
            .executor(one().behind_a_wire())
            .executor(one().behind_a_wire()),
    )
    .await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let (build, first) = begun(&server, &marks).await;
    server.wire(first).hold();
    let_go(&server, 1);
    let second = executor_at(&server, &build, 2).await;
    assert_ne!(first, second);

    // When it dies, and is there again with what it has kept
    server.role(Role::Executor, first).kill9();
    server.wire(first).release();
    server.restart().await;
    until(LIMIT, "it has told what it had kept", || async {
        let left = files_below(&server.instance(Role::Executor, first).data_dir().join("spool"));
        left.is_empty().then_some(())
    })
    .await;

    // Then what counts is the attempt that came after
    assert!(build.events(&server).await.completions().is_empty());
    let_go(&server, 2);
    build.completed(&server, LIMIT).await;
    assert_done_by_the_second_attempt(&server, &build, &marks).await;
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_stood_still_past_its_lease_is_fenced() {
    let mut server = Server::start(two()).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let (build, first) = begun(&server, &marks).await;

    // When it stands still until another has begun, while its own task ends
    server.role(Role::Executor, first).pause();
    let second = executor_at(&server, &build, 2).await;
    assert_ne!(first, second);
    let_go(&server, 1);
    server.role(Role::Executor, first).resume();
    until(LIMIT, "it has put away what it was at", || async {
        server.instance(Role::Executor, first).workspaces().is_empty().then_some(())
    })
    .await;

    // Then what it did changes nothing
    assert!(build.events(&server).await.completions().is_empty());
    let_go(&server, 2);
    build.completed(&server, LIMIT).await;
    assert_done_by_the_second_attempt(&server, &build, &marks).await;
    // and it works on.
    let again = Plan::of((0..8).map(|n| Task::command(&format!("t{n}"), "sleep 0.3")));
    let build = server.submit(&json!({ "prompt": "p", "plan": again.json() })).await;
    build.completed(&server, LIMIT).await;
    assert_eq!(shares(&server, &build).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_is_told_to_stop_ends_what_it_is_at() {
    let launch = Launch::fleet(Hands::Scripted).executor(one().grace_seconds(60)).executor(one());
    let mut server = Server::start(launch).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    // The one with the grace has it when the other has work, too.
    let other = hold(&server, "other").await;
    let (build, at) = begun(&server, &marks).await;
    let graceful = if at == 1 { build.clone() } else { other.clone() };

    // When it is told to stop
    server.role(Role::Executor, 1).tell(Signal::SIGTERM);
    until(LIMIT, "it says so", || async {
        let executors = server.get("/v1/executors").await.ok();
        let states = executors["executors"].as_array().unwrap().iter().map(|one| one["state"].clone());
        states.into_iter().any(|state| state == "draining").then_some(())
    })
    .await;
    // Then it takes nothing more
    let next = Plan::of([Task::command("next", "true")]);
    let next = server.submit(&json!({ "prompt": "p", "plan": next.json() })).await;
    assert!(server.role(Role::Executor, 1).has_ended().is_none());
    let_go(&server, 1);
    fs::write(server.beside("other"), "").unwrap();
    // and goes when what it was at is done, which was done at the first attempt.
    until(LIMIT, "it ends", || {
        let ended = server.role(Role::Executor, 1).has_ended();
        async move { ended }
    })
    .await;
    for build in [&build, &other, &next] {
        build.completed(&server, LIMIT).await;
        assert_eq!(build.events(&server).await.count("attempt_lost"), 0);
    }
    assert_eq!(graceful.tasks(&server).await[0]["attempt"], 1);
    server.restart().await;
}

/// A build with a task that waits for a file, once it runs.
async fn hold(server: &Server, file: &str) -> Build {
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", server.beside(file).display());
    let plan = Plan::of([Task::command("hold", &wait)]);
    let build = server.submit(&json!({ "prompt": "p", "plan": plan.json() })).await;
    executor_at(server, &build, 1).await;
    build
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_executor_cannot_end_before_it_must_stop_is_handed_back() {
    // Given executors with little patience, and leases that would last
    let impatient = || one().grace_seconds(1);
    let launch = Launch::fleet(Hands::Scripted).lease_seconds(60).executor(impatient()).executor(impatient());
    let mut server = Server::start(launch).await;
    let marks = Marks::in_folder(&server.beside("marks"));
    let (build, first) = begun(&server, &marks).await;

    // When the one that is at it is told to stop
    let status = server.role(Role::Executor, first).stop(Signal::SIGTERM);
    assert!(status.success(), "{status}");
    assert!(server.instance(Role::Executor, first).workspaces().is_empty());

    // Then the other begins anew, long before the lease would have ended
    let second = executor_at(&server, &build, 2).await;
    assert_ne!(first, second);
    let_go(&server, 2);
    build.completed(&server, LIMIT).await;
    assert_done_by_the_second_attempt(&server, &build, &marks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_executors_share_three_hundred_tasks_evenly() {
    let four = || ExecutorLaunch::new().slots(4);
    let launch = Launch::fleet(Hands::Scripted).executor(four()).executor(four()).executor(four());
    let server = Server::start(launch).await;
    let tasks = (0..300).map(|n| Task::command(&format!("t{n}"), "true"));
    let limits = json!({ "maxParallel": 50 });
    let order = json!({ "prompt": "p", "plan": Plan::of(tasks).json(), "limits": limits });
    let build = server.submit(&order).await;
    let ended = build.completed(&server, Duration::from_secs(240)).await;
    let shares = shares(&server, &build).await;
    println!("300 tasks in {} ms: {shares:?}", ended["durationMs"]);
    assert_eq!(shares.len(), 3, "{shares:?}");
    assert_eq!(shares.values().sum::<usize>(), 300, "{shares:?}");
    assert!(shares.values().all(|share| (80..=120).contains(share)), "{shares:?}");
}

/// How many attempts at tasks each executor began.
async fn shares(server: &Server, build: &Build) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for started in build.events(server).await.of("task_started") {
        *shares.entry(started["data"]["executor"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    shares
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_go_where_their_labels_are_and_builds_to_their_pool() {
    let launch = Launch::fleet(Hands::Scripted)
        .executor(ExecutorLaunch::new().slots(2))
        .executor(ExecutorLaunch::new().slots(2).label("gpu").label("large"))
        .executor(ExecutorLaunch::new().slots(2).label("gpu").pool("p2"));
    let server = Server::start(launch).await;

    // Given a build with tasks for anybody and tasks for few, and the same for another pool
    let tasks = || (0..6).map(|n| Task::command(&format!("any{n}"), "sleep 0.1"));
    let picky = |id: &str, labels: Value| Task::command(id, "true").with("requires", labels);
    let gpu = picky("gpu", json!(["gpu"]));
    let both = picky("both", json!(["gpu", "large"]));
    let here = Plan::of(tasks().chain([gpu.clone(), both]));
    let here = server.submit(&json!({ "prompt": "p", "plan": here.json() })).await;
    let there = Plan::of(tasks().chain([gpu]));
    let there = server.submit(&json!({ "prompt": "p", "pool": "p2", "plan": there.json() })).await;
    here.completed(&server, LIMIT).await;
    there.completed(&server, LIMIT).await;

    // Then each was done where it had to be
    let executors = server.get("/v1/executors").await.ok();
    let of = |name: &Value| {
        executors["executors"].as_array().unwrap().iter().find(|one| one["name"] == *name).cloned().unwrap()
    };
    for started in there.events(&server).await.of("task_started") {
        assert_eq!(of(&started["data"]["executor"])["pool"], "p2");
    }
    for started in here.events(&server).await.of("task_started") {
        let executor = of(&started["data"]["executor"]);
        assert_ne!(executor["pool"], "p2");
        if started["data"]["task"].as_u64().unwrap() >= 6 {
            assert_eq!(executor["labels"], json!(["gpu", "large"]));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_nobody_can_do_waits_for_somebody_who_can() {
    let launch = Launch::fleet(Hands::Scripted).executor(one()).executor(one().label("gpu"));
    let mut server = Server::start(launch).await;
    server.role(Role::Executor, 2).kill9();
    let picky = Task::command("gpu", "true").with("requires", json!(["gpu"]));
    let build = server.submit(&json!({ "prompt": "p", "plan": Plan::of([picky]).json() })).await;
    // When the others are busy with something else
    let other = Plan::of([Task::command("other", "true")]);
    let other = server.submit(&json!({ "prompt": "p", "plan": other.json() })).await;
    other.completed(&server, LIMIT).await;
    assert_eq!(build.events(&server).await.count("task_started"), 0);
    server.restart().await;
    build.completed(&server, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_whose_disk_is_full_fails_the_task_for_that_reason_and_stays_up() {
    // Given a project with a file of 6 MiB, and an executor with 4 MiB left
    let Some(disk) = SmallDisk::new(48) else { return };
    let data_dir = disk.path().join("executor");
    let server = Server::start(Launch::fleet(Hands::Scripted).executor(one().data_dir(data_dir))).await;
    let pid = server.instance(Role::Executor, 1).pid();
    let on_a_project = |task: Task| {
        let plan = Plan::of([task]).json();
        json!({ "prompt": "p", "project": "p", "plan": plan, "limits": { "maxAttempts": 1 } })
    };
    let large = Task::agent("large", &[bash("head -c 6291456 /dev/urandom > large.bin"), say("Done.", 0)]);
    server.submit(&on_a_project(large)).await.completed(&server, LIMIT).await;
    disk.fill_up_to(4 * 1024);

    // When a build starts from it
    let build = server.submit(&on_a_project(Task::file("a", "a.txt", &[]))).await;

    // Then it fails for that reason
    let (class, message) = build.failed(&server, LIMIT).await;
    assert_eq!(class, "resource", "{message}");
    assert!(message.contains("disk"), "{message}");
    // and the executor is there for the next.
    disk.free();
    server.submit(&on_a_project(Task::file("c", "c.txt", &[]))).await.completed(&server, LIMIT).await;
    assert_eq!(server.instance(Role::Executor, 1).pid(), pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_on_an_executor_learns_neither_where_the_fleet_stands_nor_any_secret() {
    let launch = Launch::fleet(Hands::Scripted)
        .env("DATABASE_URL", "postgres://somebody:hunter2@nowhere/x")
        .env("BUILDWRIGHT_API_KEY", "hunter2")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2")
        .env("NATS_TOKEN", "hunter2");
    let server = Server::start(launch).await;
    let plan = Plan::of([
        Task::command("command", "env > command.txt"),
        Task::agent("agent", &[bash("env > agent.txt"), say("Done.", 0)]),
    ]);
    let build = server.submit(&json!({ "prompt": "p", "plan": plan.json() })).await;
    build.completed(&server, LIMIT).await;
    for file in ["command.txt", "agent.txt"] {
        let seen = build.file(&server, file).await;
        assert!(seen.contains("PATH="), "{seen}");
        for secret in ["hunter2", "DATABASE_URL", "NATS", "postgres://", "nats://"] {
            assert!(!seen.contains(secret), "{file}: {seen}");
        }
    }
}
