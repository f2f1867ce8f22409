//! The server and the machine it runs on.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{Hands, Launch, Plan, ScriptedModel, Server, SmallDisk, Task, bash, say, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(60);
const LOOKED_AT: Duration = Duration::from_secs(6);
/// What is left of 60 MB beside the pages of its file, of which a released program has 22 MB and one built for debugging
/// 45 and more.
const OWN_KIB: u64 = 36_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_server_uses_under_one_percent_of_a_core_and_under_60_mb() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    at_rest(&server).await;
    let before = server.processor_time();
    // The time is what is measured.
    tokio::time::sleep(LOOKED_AT).await;
    let used = server.processor_time() - before;
    let (memory, own) = server.memory_kib();
    let percent = used.as_secs_f64() / LOOKED_AT.as_secs_f64() * 100.0;
    println!("idle: {percent:.2} % of a core, {memory} KiB resident, {own} KiB of it not pages of files");
    assert!(percent < 1.0, "{percent} %");
    assert!(own < OWN_KIB, "{own} KiB");

    // And after work it becomes idle again.
    let plan = Plan::of((0..10).map(|n| Task::command(&format!("t{n}"), "true")));
    server.submit(&json!({ "prompt": "p", "plan": plan.json() })).await.completed(&server, LIMIT).await;
    at_rest(&server).await;
    let before = server.processor_time();
    tokio::time::sleep(LOOKED_AT).await;
    let percent = (server.processor_time() - before).as_secs_f64() / LOOKED_AT.as_secs_f64() * 100.0;
    let (memory, own) = server.memory_kib();
    println!(
        "after a build: {percent:.2} % of a core, {memory} KiB resident, {own} KiB of it not pages of files"
    );
    assert!(percent < 1.0, "{percent} %");
    assert!(own < OWN_KIB, "{own} KiB");
}

/// Waits until it has put away what it was at: until it uses no processor for some ticks of its clock.
async fn at_rest(server: &Server) {
    until(LIMIT, "it is at rest", || async {
        let before = server.processor_time();
        tokio::time::sleep(Duration::from_millis(300)).await;
        (server.processor_time() == before).then_some(())
    })
    .await;
}

/// How a server ended that could not start, and what it said.
fn refused(launch: &Launch, data_dir: &Path, log: &Path) -> (ExitStatus, String) {
    let mut child = launch.spawn(data_dir, log);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it runs:\n{}", fs::read_to_string(log).unwrap());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = fs::read_to_string(log).unwrap();
    assert!(!said.contains("panicked"), "{said}");
    (child.wait().unwrap(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_a_data_directory_is_refused() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    let announced = fs::read(server.data_dir().join("server.json")).unwrap();
    let launch = Launch::with(Hands::Scripted);
    let (status, said) = refused(&launch, &server.data_dir(), &server.beside("second"));
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&server.data_dir().display().to_string()), "{said}");
    assert!(said.contains("already") || said.contains("in use"), "{said}");
    assert_eq!(fs::read(server.data_dir().join("server.json")).unwrap(), announced);
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    let launch = Launch::with(Hands::Scripted).listen(&server.address());
    let (status, said) = refused(&launch, &server.beside("other"), &server.beside("second"));
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&server.address()), "{said}");
    assert!(!server.beside("other/server.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_can_reach_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let launch = Launch::with(Hands::Scripted).listen("0.0.0.0:0");
    let (status, said) = refused(&launch, &home.path().join("data"), &home.path().join("log"));
    assert!(!status.success() && said.contains("0.0.0.0"), "{status} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let launch = Launch::with(Hands::Scripted);
    let (status, said) = refused(&launch, &home.path().join("file/data"), &home.path().join("log"));
    assert!(!status.success() && said.contains("file/data"), "{status} {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked_to_stop_leaves_nothing_running_and_goes_on_at_the_next_start() {
    let model = ScriptedModel::start().await;
    let mut server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let go = server.beside("go");
    let wait = format!("until [ -e {} ]; do sleep 0.05; done; echo x > x.txt", go.display());
    let plan = Plan::of([Task::agent("a", &[bash(&wait), say("Done.", 0)]), Task::command("b", &wait)]);
    let build = server.submit(&json!({ "prompt": "p", "plan": plan.json() })).await;
    build.wait_for(&server, LIMIT, "start", |events| events.count("task_started") == 2).await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let begun = Instant::now();
        let status = server.stop(signal);
        println!("{signal} ended it after {:?}", begun.elapsed());
        assert!(status.success(), "{status}");
        server.wait_until_nothing_works(Duration::ZERO).await;
        assert!(!server.data_dir().join("server.json").exists());
        server.restart().await;
        let events = build.events(&server).await;
        assert!(!events.has_ended(), "{:?}", events.kinds());
    }
    fs::write(&go, "").unwrap();
    build.completed(&server, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_that_ended_are_still_there_after_a_restart() {
    let mut server = Server::start(Launch::with(Hands::Scripted)).await;
    let plan = Plan::of([Task::file("a", "a.txt", &[])]);
    let build = server.submit(&json!({ "prompt": "p", "plan": plan.json() })).await;
    build.completed(&server, LIMIT).await;
    let mut before = Vec::new();
    for what in ["", "/plan", "/tasks", "/files", "/events"] {
        before.push(build.get(&server, what).await);
    }
    server.kill9().await;
    server.restart().await;
    for (what, before) in ["", "/plan", "/tasks", "/files", "/events"].into_iter().zip(before) {
        assert_eq!(build.get(&server, what).await, before, "{what}");
    }
    assert_eq!(server.get("/v1/builds").await.ok()["builds"][0]["id"], build.id.as_str());
}

fn on_a_project(task: Task) -> Value {
    json!({ "prompt": "p", "project": "p", "plan": Plan::of([task]).json(), "limits": { "maxAttempts": 1 } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fills_the_disk_fails_for_that_reason_and_makes_room() {
    // Given a project with a file of 6 MiB on a disk where 4 MiB are left
    let Some(disk) = SmallDisk::new(48) else { return };
    let home = tempfile::tempdir_in(disk.path()).unwrap();
    let server = Server::start_in(home, Launch::with(Hands::Scripted)).await;
    let large = Task::agent("large", &[bash("head -c 6291456 /dev/urandom > large.bin"), say("Done.", 0)]);
    server.submit(&on_a_project(large)).await.completed(&server, LIMIT).await;
    disk.fill_up_to(4 * 1024);

    // When a build starts from it
    let build = server.submit(&on_a_project(Task::file("a", "a.txt", &[]))).await;

    // Then it fails for that reason, and leaves nothing on the disk
    let (class, message) = build.failed(&server, Duration::from_secs(20)).await;
    assert_eq!(class, "resource", "{message}");
    assert!(message.contains("disk"), "{message}");
    assert!(server.workspaces().is_empty(), "{:?}", server.workspaces());
    disk.free();
    server.submit(&on_a_project(Task::file("c", "c.txt", &[]))).await.completed(&server, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_orders_and_the_server_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::new(48) else { return };
    let home = tempfile::tempdir_in(disk.path()).unwrap();
    let server = Server::start_in(home, Launch::with(Hands::Scripted)).await;
    let waits = format!("until [ -e {} ]; do sleep 0.05; done", server.beside("go").display());
    let running = server.submit(&on_a_project(Task::command("waits", &waits))).await;
    running.wait_for(&server, LIMIT, "start", |events| events.count("task_started") == 1).await;

    // When nothing can be written any more
    disk.fill_up_to(0);

    // Then orders are refused, and everything can still be read
    let answer = server.post("/v1/builds", &on_a_project(Task::file("b", "b.txt", &[]))).await;
    println!("an order on a full disk: {} {}", answer.status, answer.text());
    assert!(matches!(answer.status, 503 | 507), "{}", answer.text());
    assert!(answer.problem_pointers().is_empty());
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(running.get(&server, "").await["status"], "executing");

    // and once there is room again, what was going on goes on
    disk.free();
    fs::write(server.beside("go"), "").unwrap();
    running.completed(&server, LIMIT).await;
    server.submit(&on_a_project(Task::file("c", "c.txt", &[]))).await.completed(&server, LIMIT).await;
    assert_eq!(server.get("/v1/builds").await.ok()["builds"].as_array().unwrap().len(), 2);
}
