//! What delivering webhooks costs: every event of the log is signed, sent to a subscriber on this machine, and its
//! delivery stored.

use super::{Figure, Plan, receiver::Receiver, stack::Stack};
use anyhow::Context as _;
use futures::future::try_join_all;
use ports::{Append, Metadata, NewEvent, StreamId, Version};
use serde_json::json;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Between two events, where it is measured how soon they come.
const CALM: Duration = Duration::from_millis(4);
/// Events that are stored together, where it is measured how many come.
const BATCH: usize = 500;
/// Endpoints that each get every event.
const ENDPOINTS: usize = 10;

/// From an event being committed to its request having come, while little happens.
pub(super) async fn latency(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let stack = Stack::start(plan).await?;
    let receiver = subscribed(&stack).await?;
    let mut committed = HashMap::new();
    // The first ones warm the caches.
    for round in 0..plan.webhooks / 10 + 50 {
        let (stream, version) = append(&stack, 1).await?;
        if round >= 50 {
            committed.insert(stream.event(version).to_string(), Instant::now());
        }
        tokio::time::sleep(CALM).await;
    }
    receiver.wait_for(committed.len() + 50).await?;
    let came = receiver.came();
    let mut waits = Vec::with_capacity(committed.len());
    for (id, at) in &committed {
        let came = came.get(id.as_str()).context("an event was not delivered")?;
        waits.push(came.saturating_duration_since(*at).as_secs_f64() * 1e3);
    }
    waits.sort_by(f64::total_cmp);
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100];
    let figures = vec![
        Figure::new("webhook_latency_p50_ms", at(50), "ms", "event stored to webhook received, p50", None),
        Figure::new("webhook_latency_p99_ms", at(99), "ms", "event stored to webhook received, p99", None),
    ];
    stack.end().await?;
    Ok(figures)
}

/// Events as fast as they can be stored, until the last has come: to one endpoint, and to many.
pub(super) async fn throughput(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let what = format!("webhook deliveries to {ENDPOINTS} endpoints");
    let one = flood(plan, 1, plan.webhooks).await?;
    let many = flood(plan, ENDPOINTS, plan.webhooks / 4).await?;
    Ok(vec![
        Figure::new("webhooks_per_s", one, "/s", "webhook deliveries to one endpoint", Some(2_000.0)),
        Figure::new(&format!("webhooks_per_s_{ENDPOINTS}"), many, "/s", &what, Some(2_000.0)),
    ])
}

/// How many deliveries there were within a second.
async fn flood(plan: &Plan, endpoints: usize, events: usize) -> anyhow::Result<f64> {
    let stack = Stack::start(plan).await?;
    let receivers = try_join_all((0..endpoints).map(|_| subscribed(&stack))).await?;
    let appends = events / BATCH;
    let begun = Instant::now();
    for _ in 0..appends {
        append(&stack, BATCH).await?;
    }
    try_join_all(receivers.iter().map(|receiver| receiver.wait_for(appends * BATCH))).await?;
    let rate = (appends * BATCH * endpoints) as f64 / begun.elapsed().as_secs_f64();
    stack.end().await?;
    Ok(rate)
}

/// A new endpoint, which the courier knows already.
async fn subscribed(stack: &Stack) -> anyhow::Result<Receiver> {
    let receiver = Receiver::start().await?;
    let order = json!({ "url": format!("http://{}/hook", receiver.address) });
    let url = format!("http://{}/v1/webhook-endpoints", stack.address);
    let client = crate::client::http().no_proxy().build()?;
    client.post(url).json(&order).send().await?.error_for_status()?;
    Ok(receiver)
}

/// Stores events of a type that no service reacts to, of the size of a usual one, as a stream of their own. Answers
/// which the last of them is.
async fn append(stack: &Stack, events: usize) -> anyhow::Result<(StreamId, Version)> {
    let inside = &stack.inside;
    let stream = StreamId::Build(inside.ids.build());
    let payload =
        json!({ "attempt": 1, "executor": "x".repeat(300), "at": "2026-01-01T00:00:00Z" }).to_string();
    let event = NewEvent { kind: "planning_started", schema_version: 1, payload };
    let append = Append {
        stream,
        expected: Version(0),
        events: vec![event; events],
        metadata: Metadata::default(),
        recorded_at: inside.clock.now(),
    };
    Ok((stream, inside.store.append(append).await?.version))
}
