//! The measures.

use super::{
    Figure, Plan,
    stack::{Inside, Stack},
};
use anyhow::{Context as _, ensure};
use domain::{BuildId, build::BuildStatus};
use ports::{Append, EventStore, Metadata, NewEvent, Position, StreamId, Version};
use serde_json::{Value, json};
use std::{sync::Arc, time::Instant};
use tokio::task::JoinSet;

/// Clients that submit builds at the same time.
const CLIENTS: usize = 64;
/// Events of a stream that the append measure writes before it begins another.
const STREAM_LENGTH: u64 = 20;

/// From sending `POST /v1/builds` to the executor beginning the task, on an idle system, one by one.
pub(super) async fn latency(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let stack = Stack::start(plan).await?;
    let client = Client::of(&stack)?;
    let mut waits = Vec::with_capacity(plan.latency_builds);
    for round in 0..plan.latency_builds + 50 {
        let sent = Instant::now();
        let build = client.submit(&one_task()).await?;
        wait_until_ended(&stack, build).await?;
        let begun = stack.worker.started(build).context("the task was not begun")?;
        // The first ones warm the caches.
        if round >= 50 {
            waits.push(begun.duration_since(sent).as_secs_f64() * 1e3);
        }
    }
    waits.sort_by(f64::total_cmp);
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100];
    let figures = vec![
        Figure::new("start_latency_p50_ms", at(50), "ms", "submit to executor start, p50", Some(2.0)),
        Figure::new(
            "start_latency_p99_ms",
            at(99),
            "ms",
            "submit to executor start, p99",
            plan.fleet.as_ref().map(|_| 8.0),
        ),
    ];
    stack.end().await?;
    Ok(figures)
}

/// One-task builds, submitted over HTTP by many clients, until the last is completed.
pub(super) async fn builds(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let stack = Stack::start(plan).await?;
    let client = Arc::new(Client::of(&stack)?);
    let from = *stack.inside.store.head().borrow();
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Arc::clone(&client);
        let share = plan.builds / CLIENTS + usize::from(number < plan.builds % CLIENTS);
        clients.spawn(async move {
            let order = one_task();
            for _ in 0..share {
                client.submit(&order).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let store = Arc::clone(&stack.inside.store);
    let events = wait_until_completed(store.as_ref(), from, plan.builds).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let figures = vec![
        Figure::new(
            "builds_per_s",
            plan.builds as f64 / seconds,
            "/s",
            "one-task builds, end to end",
            Some(if plan.fleet.is_some() { 3_000.0 } else { 2_000.0 }),
        ),
        Figure::new("build_events_per_s", events as f64 / seconds, "/s", "events stored meanwhile", None),
    ];
    stack.end().await?;
    Ok(figures)
}

/// One build of many independent tasks; and then its replay.
pub(super) async fn large_build(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let stack = Stack::start(plan).await?;
    let client = Client::of(&stack)?;
    let tasks: Vec<Value> = (0..plan.tasks).map(task).collect();
    let order = json!({
        "prompt": "a large build", "plan": { "tasks": tasks },
        "limits": { "maxParallel": 256, "buildTimeoutSeconds": 3600 },
    });
    let begun = Instant::now();
    let build = client.submit(&order).await?;
    wait_until_ended(&stack, build).await?;
    let tasks_per_s = f64::from(plan.tasks) / begun.elapsed().as_secs_f64();
    let replayed = replay(&stack, build).await?;
    let figures = vec![
        Figure::new(
            "tasks_per_s",
            tasks_per_s,
            "/s",
            &format!("tasks in one build of {}", plan.tasks),
            plan.fleet.is_none().then_some(5_000.0),
        ),
        Figure::new("events_folded_per_s", replayed, "/s", "events folded on replay", Some(100_000.0)),
    ];
    stack.end().await?;
    Ok(figures)
}

/// Reads, decodes and folds the build's stream from the store, several times.
async fn replay(stack: &Stack, build: BuildId) -> anyhow::Result<f64> {
    let inside = &stack.inside;
    let version = inside.builds.read(build, |loaded| loaded.version).await?.context("the build is gone")?;
    let (mut events, begun) = (0, Instant::now());
    while begun.elapsed().as_secs_f64() < 2.0 {
        let loaded = inside.builds.at(build, version).await?.context("the build is gone")?;
        ensure!(loaded.build.status == BuildStatus::Completed, "the replayed build is not completed");
        events += version.0;
    }
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}

/// Single-event appends, each awaited, by some writers with a stream of their own.
pub(super) async fn appends(plan: &Plan, writers: usize) -> anyhow::Result<Figure> {
    let stack = Stack::start(plan).await?;
    let inside = stack.inside.clone();
    // Long enough to be no artefact of its start, short enough for one writer on a slow disk.
    let total = if writers == 1 { plan.appends / 4 } else { plan.appends * 2 };
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let inside = inside.clone();
        tasks.spawn(async move { append_many(&inside, total / writers).await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let rate = (total / writers * writers) as f64 / begun.elapsed().as_secs_f64();
    stack.end().await?;
    let what = format!("single-event appends, {writers} writer{}", if writers == 1 { "" } else { "s" });
    let aim = (plan.fleet.is_some() && writers == 64).then_some(40_000.0);
    Ok(Figure::new(&format!("appends_per_s_{writers}"), rate, "/s", &what, aim))
}

async fn append_many(inside: &Inside, count: usize) -> anyhow::Result<()> {
    let mut expected = Version(STREAM_LENGTH);
    let mut stream = StreamId::Build(inside.ids.build());
    for _ in 0..count {
        if expected.0 == STREAM_LENGTH {
            (stream, expected) = (StreamId::Build(inside.ids.build()), Version(0));
        }
        // The type is one that no service reacts to; the size is that of a usual event.
        let payload = json!({ "attempt": 1, "executor": "x".repeat(300), "at": "2026-01-01T00:00:00Z" });
        let event = NewEvent { kind: "planning_started", schema_version: 1, payload: payload.to_string() };
        let append = Append {
            stream,
            expected,
            events: vec![event],
            metadata: Metadata::default(),
            recorded_at: inside.clock.now(),
        };
        expected = inside.store.append(append).await?.version;
    }
    Ok(())
}

/// Waits until a build has ended, and takes nothing but completion.
async fn wait_until_ended(stack: &Stack, build: BuildId) -> anyhow::Result<()> {
    let inside = &stack.inside;
    let mut head = inside.store.head();
    loop {
        head.borrow_and_update();
        match inside.builds.read(build, |loaded| loaded.build.status).await? {
            Some(BuildStatus::Completed) => return Ok(()),
            Some(status) if status.is_terminal() => anyhow::bail!("{build} ended as {}", status.as_str()),
            _ => head.changed().await?,
        }
    }
}

/// Follows the log from a position until so many builds are completed; returns how many events that took.
async fn wait_until_completed(store: &dyn EventStore, from: Position, builds: usize) -> anyhow::Result<u64> {
    let mut head = store.head();
    let (mut at, mut completed) = (from, 0);
    loop {
        head.borrow_and_update();
        for event in store.read_all(at, 5_000).await? {
            completed += usize::from(&*event.kind == "build_completed");
            ensure!(&*event.kind != "build_failed", "a build failed: {}", event.payload);
            at = event.position;
        }
        if completed == builds {
            return Ok(at.0 - from.0);
        }
        if *head.borrow() <= at {
            head.changed().await?;
        }
    }
}

fn task(number: u32) -> Value {
    json!({ "id": format!("t{number}"), "type": "agent", "prompt": "nothing" })
}

fn one_task() -> Value {
    json!({ "prompt": "a small build", "project": "bench", "plan": { "tasks": [task(0)] } })
}

struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    fn of(stack: &Stack) -> anyhow::Result<Self> {
        let url = format!("http://{}/v1/builds", stack.address);
        Ok(Self { http: crate::client::http().no_proxy().build()?, url })
    }

    async fn submit(&self, order: &Value) -> anyhow::Result<BuildId> {
        let answer = self.http.post(&self.url).json(order).send().await?.error_for_status()?;
        let build: Value = answer.json().await?;
        Ok(build["id"].as_str().context("no id")?.parse()?)
    }
}
