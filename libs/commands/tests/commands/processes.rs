//! Two processes over one PostgreSQL.

use crate::scene::*;
use buildwright_commands::{Builds, ExecuteError, Executed, Writers};
use domain::build::Command;
use futures::future::join_all;
use ports::{EventStore, StreamId, Version};
use std::{collections::BTreeSet, sync::Arc};
use store_postgres::{PostgresOptions, PostgresStore};
use testkit::postgres::Server;

/// Clients in each process that give commands at the same time.
const CLIENTS: u32 = 4;
const TASKS: u32 = 200;

async fn process(url: &str) -> (PostgresStore, Builds) {
    let store = PostgresStore::open(url, PostgresOptions::default()).await.expect("a store");
    let builds = Builds::new(Arc::new(store.clone()), Arc::new(Noon), Writers::Several, 100);
    (store, builds)
}

/// Like everybody who gives commands: one that met others too often is given again.
async fn insist(builds: &Builds, actor: &str, command: Command) -> Executed {
    loop {
        match soon(builds.execute(build(1), actor.into(), command.clone())).await {
            Err(ExecuteError::Contended) => {}
            answer => return answer.expect("an answer"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_command_one_build_and_nothing_is_lost_or_doubled() {
    let url = Server::shared().database();
    let processes = [process(&url).await, process(&url).await];
    insist(&processes[0].1, "tester", submit(plan(2 * TASKS))).await;

    // Each process starts half of the tasks, 200 commands, and so do its clients among themselves.
    let names = ["even", "odd"];
    let clients = (0..2 * CLIENTS).map(|client| {
        let (me, processes) = (client as usize % 2, &processes);
        async move {
            let mut versions = Vec::new();
            for task in (client..2 * TASKS).step_by(2 * CLIENTS as usize) {
                versions.push(insist(&processes[me].1, names[me], start_by(names[me], task)).await.version);
            }
            versions
        }
    });
    let answered: Vec<Version> = join_all(clients).await.into_iter().flatten().collect();

    let stream = processes[0].0.read_stream(StreamId::Build(build(1)), Version(0), 10_000).await.unwrap();
    let started: Vec<_> = stream.iter().filter(|event| &*event.kind == "task_started").collect();
    let tasks: BTreeSet<&str> = started.iter().map(|event| &*event.payload).collect();
    assert_eq!((answered.len(), started.len(), tasks.len()), (400, 400, 400));
    for event in &started {
        let actor = event.metadata.actor.as_deref().unwrap();
        assert!(event.payload.contains(&format!(r#""executor":"{actor}""#)), "{}", event.payload);
    }
    let started: BTreeSet<Version> = started.iter().map(|event| event.version).collect();
    assert_eq!(
        answered.into_iter().collect::<BTreeSet<_>>(),
        started,
        "every answer tells where its event is"
    );
    let folded = fold(&stream);
    for (_, builds) in &processes {
        builds.read(build(1), |loaded| assert_eq!(loaded.build, folded)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_a_process_heard_of_it_need_not_read() {
    // Given a process that hears of all events, and a build that another submitted
    let scene = Scene::with(Writers::Several, 10).await;
    let other = scene.somebody_else();
    other.execute(build(1), "other".into(), submit(plan(2))).await.unwrap();
    for event in scene.stream(build(1)).await {
        scene.builds.hear(&event);
    }
    let reads = scene.store.reads();
    // When it looks at it and commands it
    let version = scene.builds.read_since(build(1), Version(3), |loaded| loaded.version).await.unwrap();
    scene.execute(build(1), start(0)).await.unwrap();
    // Then it reads nothing,
    assert_eq!(version, Some(Version(4)));
    assert_eq!(scene.store.reads(), reads);
    scene.assert_sound(build(1)).await;
}

#[tokio::test]
async fn what_a_process_did_not_hear_of_it_reads() {
    // Given a build of which a process heard the beginning and, after a gap, more
    let scene = Scene::with(Writers::Several, 10).await;
    let other = scene.somebody_else();
    other.execute(build(1), "other".into(), submit(plan(3))).await.unwrap();
    let submitted = scene.stream(build(1)).await;
    for task in 0..3 {
        other.execute(build(1), "other".into(), start(task)).await.unwrap();
    }
    let stream = scene.stream(build(1)).await;
    for event in submitted.iter().chain(stream.last()).chain(&submitted) {
        scene.builds.hear(event);
    }
    // When it looks at it
    let last = stream.last().unwrap().version;
    let version = scene.builds.read_since(build(1), last, |loaded| loaded.version).await.unwrap();
    // Then it sees everything.
    assert_eq!(version, Some(last));
    scene.execute(build(1), finish(0)).await.unwrap();
    scene.assert_sound(build(1)).await;
}
