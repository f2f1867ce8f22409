//! How many commands a second reach PostgreSQL when other processes may write too, and how long it takes to load
//! a build of 5,000 tasks of which nothing is remembered, with a snapshot and without.
//!
//! `cargo run -p buildwright-commands --example postgres_commands`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use buildwright_commands::{Builds, Snapshotting, Writers};
use chrono::{DateTime, Utc};
use domain::{
    BuildId, Usage,
    build::{Attempt, BuildSpec, Command, Limits, Outcome, Success, TaskResult, Work},
};
use futures::future::try_join_all;
use plan::{Bounds, Plan, PlanDraft, TaskDraft, TaskNumber};
use ports::{Clock, Snapshots as _, StreamId, Version};
use std::{
    collections::BTreeMap,
    error::Error,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};
use store_postgres::{PostgresOptions, PostgresStore};
use testkit::postgres::{Disk, Server};
use ulid::Ulid;

type Failed = Box<dyn Error + Send + Sync>;

const BUILDS_AT_ONCE: u64 = 64;
const ROUNDS: u64 = 20;
const TASKS: u32 = 5_000;
const EVERY: NonZeroUsize = NonZeroUsize::new(500).unwrap();

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let server = Server::new(Disk::Flushed);
    let store = PostgresStore::open(&server.database(), PostgresOptions::default()).await?;
    let builds = Arc::new(Builds::new(Arc::new(store.clone()), Arc::new(Epoch), Writers::Several, 10_000));
    for (from, asking_first) in [(1 << 20, true), (2 << 20, false), (3 << 20, true), (4 << 20, false)] {
        let rate = short_builds(&builds, from, asking_first).await?;
        let how = if asking_first { "stream read before each" } else { "decided on what is known" };
        println!("{BUILDS_AT_ONCE} builds at once, 3 commands each, {how}: {rate:.0} commands/s");
    }
    long_build(&store).await
}

/// Each build is submitted, started and finished, by one client after another.
#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are small")]
async fn short_builds(builds: &Arc<Builds>, from: u64, asking_first: bool) -> Result<f64, Failed> {
    let began = Instant::now();
    let clients = (0..BUILDS_AT_ONCE).map(|client| {
        let builds = Arc::clone(builds);
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                let id = BuildId::new(Ulid((from + round * BUILDS_AT_ONCE + client).into()));
                for command in [submit(1)?, start(0), finish(0)] {
                    if asking_first {
                        builds.read(id, |_| ()).await?;
                    }
                    builds.execute(id, "driver".into(), command).await?;
                }
            }
            Ok::<_, Failed>(())
        })
    });
    for client in try_join_all(clients).await? {
        client?;
    }
    Ok((BUILDS_AT_ONCE * ROUNDS * 3) as f64 / began.elapsed().as_secs_f64())
}

async fn long_build(store: &PostgresStore) -> Result<(), Failed> {
    let id = BuildId::new(Ulid(1));
    let snapshotting = || Snapshotting::new(Arc::new(store.clone()), EVERY);
    let with = || {
        let (events, clock) = (Arc::new(store.clone()), Arc::new(Epoch));
        Builds::with_snapshots(events, clock, Writers::Several, 10, snapshotting())
    };
    let without = || Builds::new(Arc::new(store.clone()), Arc::new(Epoch), Writers::Several, 10);

    let (builds, began) = (with(), Instant::now());
    builds.execute(id, "driver".into(), submit(TASKS)?).await?;
    for first in (0..TASKS).step_by(50) {
        let tasks = first..first + 50;
        try_join_all(tasks.clone().map(|task| builds.execute(id, "driver".into(), start(task)))).await?;
        try_join_all(tasks.map(|task| builds.execute(id, "driver".into(), finish(task)))).await?;
    }
    println!("{TASKS} tasks carried out in {:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;

    let snapshot = store.load_snapshot(StreamId::Build(id)).await?.ok_or("no snapshot")?;
    println!("snapshot of version {}: {} bytes", snapshot.version, snapshot.state.len());
    for _ in 0..3 {
        for (builds, how) in [(without(), "without"), (with(), "with")] {
            let began = Instant::now();
            let version = builds.read(id, |loaded| loaded.version).await?.unwrap_or(Version(0));
            println!("loaded {version} events {how} a snapshot in {:?}", began.elapsed());
        }
    }
    Ok(())
}

fn submit(tasks: u32) -> Result<Command, Failed> {
    let task = |n| TaskDraft {
        id: format!("t{n}"),
        task_type: "agent".into(),
        prompt: "Write what is asked for and nothing else. ".repeat(5),
        ..TaskDraft::default()
    };
    let draft = PlanDraft { tasks: (0..tasks).map(task).collect(), ..PlanDraft::default() };
    let plan = Plan::validate(draft, &Bounds::default())?;
    let spec = BuildSpec {
        prompt: "make a shop".into(),
        project: "shop".parse()?,
        repository: None,
        framework: None,
        model: "any".into(),
        limits: Limits { max_parallel: 1_000, ..Limits::default() },
        labels: BTreeMap::new(),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    Ok(Command::Submit { spec, plan: Some(plan), at: DateTime::UNIX_EPOCH })
}

fn start(task: u32) -> Command {
    let (work, attempt) = (Work::Task(TaskNumber(task)), Attempt::FIRST);
    Command::Start { work, attempt, executor: "executor-1".into(), at: DateTime::UNIX_EPOCH }
}

fn finish(task: u32) -> Command {
    let result = "1".repeat(40).parse().map(|commit| TaskResult {
        commit,
        bundle: Some(format!("results/{task}")),
        files_changed: 1,
        summary: "Wrote what was asked for. ".repeat(5),
    });
    let result = result.map(Success::Task).map_err(|_| domain::Failure {
        class: domain::FailureClass::Internal,
        message: "forty digits are an id".into(),
    });
    let outcome = Outcome { result, usage: Usage::default(), session_id: Some("s-1".into()), duration_ms: 1 };
    let (work, attempt) = (Work::Task(TaskNumber(task)), Attempt::FIRST);
    Command::Finish { work, attempt, outcome, at: DateTime::UNIX_EPOCH }
}
