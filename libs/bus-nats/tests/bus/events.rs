//! The feed of events for consumers outside.

use crate::scene::{Scene, finished};
use async_nats::jetstream::consumer::pull;
use async_trait::async_trait;
use buildwright_bus_nats::{EventFeed, NatsBus};
use domain::build::Work;
use futures::StreamExt;
use names::TenantName;
use ports::{
    Append, AppendError, Appended, EventStore, Metadata, OutcomeBus as _, Position, RecordedEvent,
    StoreError, StreamId, TaskQueue as _, TenantPage, Version,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use testkit::bus::{build, noon, order, soon};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// A log that can be read.
struct Log {
    /// Lets reading pass; closed, a reader stands still with what it knew.
    gate: Semaphore,
    events: Mutex<Vec<RecordedEvent>>,
    head: watch::Sender<Position>,
}

impl Log {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            gate: Semaphore::new(1),
            events: Mutex::default(),
            head: watch::Sender::new(Position(0)),
        })
    }

    fn grow(&self, by: u64) {
        for _ in 0..by {
            let position = self.head.borrow().0 + 1;
            let kind = if position.is_multiple_of(2) { "task_started" } else { "task_completed" };
            self.happen(1, "default", kind, &format!(r#"{{"n":{position}}}"#));
        }
    }

    fn happen(&self, of: u64, tenant: &str, kind: &str, payload: &str) {
        let mut events = self.events.lock().expect("no panic");
        let stream = StreamId::Build(build(of));
        let before = events.iter().filter(|event| event.stream == stream).count() as u64;
        let position = Position(events.len() as u64 + 1);
        events.push(RecordedEvent {
            position,
            stream,
            version: Version(before + 1),
            kind: kind.into(),
            schema_version: 1,
            payload: payload.into(),
            metadata: Metadata { actor: Some("driver".into()), tenant: tenant.parse().expect("a name") },
            recorded_at: noon(),
        });
        self.head.send_replace(position);
    }
}

#[async_trait]
impl EventStore for Log {
    async fn append(&self, _: Append) -> Result<Appended, AppendError> {
        Err(StoreError::Closed.into())
    }

    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let events = self.events.lock().expect("no panic");
        let of_stream = events.iter().filter(|event| event.stream == stream && event.version > after);
        Ok(of_stream.take(limit).cloned().collect())
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let _open = self.gate.acquire().await.expect("not closed");
        let events = self.events.lock().expect("no panic");
        let from = usize::try_from(after.0).expect("small").min(events.len());
        Ok(events[from..].iter().take(limit).cloned().collect())
    }

    async fn read_tenant(&self, _: &TenantName, _: Position, _: usize) -> Result<TenantPage, StoreError> {
        Err(StoreError::Closed)
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn orders_reports_and_events_belong_to_the_trace_of_their_build() {
    let scene = Scene::new();
    let (log, stop) = (Log::new(), CancellationToken::new());
    log.grow(1);
    let feed = feed(&scene.bus().await, &log, &stop);
    let (queue, outcomes) = (scene.queue().await, scene.outcomes().await);
    queue.offer(order(1, Work::Plan, 1)).await.expect("taken");
    let (report, received) = tokio::join!(outcomes.report(finished(1, 1)), outcomes.reports(1));
    report.expect("reported");
    let mut parents = Vec::new();
    for stream in ["TASKS", "OUTCOMES", "EVENTS"] {
        let stream = scene.jetstream().await.get_stream(stream).await.expect("a stream");
        let message = soon(stream.get_raw_message(1)).await.expect("a message");
        parents.push(message.headers.get("traceparent").expect("a header").to_string());
    }
    let trace = format!("00-{:032x}-", build(1).ulid().0);
    assert!(parents.iter().all(|parent| parent.starts_with(&trace)), "{parents:?}");
    assert_eq!(parents[0], parents[1], "what is reported of an attempt belongs to it");
    assert_ne!(parents[0], parents[2]);
    drop(received);
    stop.cancel();
    soon(feed).await.expect("no panic");
}

/// What a consumer outside sees: subjects and events, until there are so many.
async fn told(scene: &Scene, count: usize) -> Vec<(String, serde_json::Value)> {
    let stream = scene.jetstream().await.get_stream("EVENTS").await.expect("a stream");
    let consumer = stream.create_consumer(pull::OrderedConfig::default()).await.expect("a consumer");
    let messages = consumer.messages().await.expect("messages").take(count).map(|message| {
        let message = message.expect("a message");
        (message.subject.to_string(), serde_json::from_slice(&message.payload).expect("JSON"))
    });
    soon(messages.collect()).await
}

fn assert_dense(told: &[(String, serde_json::Value)], first: u64) {
    let positions: Vec<u64> =
        told.iter().map(|(_, event)| event["position"].as_u64().expect("one")).collect();
    assert!(positions.iter().copied().eq((first..).take(told.len())), "{positions:?}");
}

fn feed(bus: &NatsBus, log: &Arc<Log>, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let (feed, log, stop) = (EventFeed::new(bus), Arc::clone(log), stop.clone());
    tokio::spawn(async move { feed.run(log, Position(0), stop).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_event_is_told_once_and_in_order_by_however_many() {
    let scene = Scene::new();
    let (log, stop) = (Log::new(), CancellationToken::new());
    log.grow(700);
    let feeds = [feed(&scene.bus().await, &log, &stop), feed(&scene.bus().await, &log, &stop)];
    for _ in 0..20 {
        log.grow(7);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = told(&scene, 840).await;
    assert_dense(&told, 1);
    let stream = scene.jetstream().await.get_stream("EVENTS").await.expect("a stream");
    assert_eq!(stream.cached_info().state.messages, 840);
    let (subject, event) = &told[1];
    assert_eq!(subject, "buildwright.events.default.task_started");
    assert_eq!(
        *event,
        serde_json::json!({
            "id": format!("evt_{}_2", &build(1).to_string()[4..]),
            "position": 2, "build": build(1), "version": 2, "type": "task_started", "schemaVersion": 1,
            "recordedAt": "2026-03-01T12:00:00Z", "actor": "driver", "data": {"n": 2}
        })
    );
    stop.cancel();
    for feed in feeds {
        soon(feed).await.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn telling_goes_on_where_it_ended_and_after_all_was_lost() {
    let mut scene = Scene::new();
    let log = Log::new();
    for round in 1..=3 {
        let stop = CancellationToken::new();
        log.grow(10);
        let feed = feed(&scene.bus().await, &log, &stop);
        assert_dense(&told(&scene, round * 10).await, 1);
        stop.cancel();
        soon(feed).await.expect("no panic");
    }
    let stop = CancellationToken::new();
    let feed = feed(&scene.bus().await, &log, &stop);
    log.grow(1);
    told(&scene, 31).await;
    scene.server.kill();
    scene.server.wipe_data();
    scene.server.start_again();
    // Set up again.
    drop(scene.bus().await);
    log.grow(5);
    // What went before is gone with the data; nothing is told twice.
    assert_dense(&told(&scene, 5).await, 32);
    stop.cancel();
    soon(feed).await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_feed_that_stood_still_repeats_nothing_that_another_told_meanwhile() {
    let scene = Scene::new();
    let (slow_bus, fast_bus) = (scene.bus().await, scene.bus().await);
    let jetstream = scene.jetstream().await;
    let mut config = jetstream.get_stream("EVENTS").await.expect("a stream").cached_info().config.clone();
    config.duplicate_window = Duration::from_millis(100);
    jetstream.update_stream(config).await.expect("changed");
    let (slow, fast, stop) = (Log::new(), Log::new(), CancellationToken::new());
    slow.grow(10);
    fast.grow(10);

    let held = slow.gate.acquire().await.expect("not closed");
    let slow_feed = feed(&slow_bus, &slow, &stop);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let fast_feed = feed(&fast_bus, &fast, &stop);
    told(&scene, 10).await;
    // Longer than ids are remembered.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(held);
    slow.grow(1);
    assert_dense(&told(&scene, 11).await, 1);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stream = jetstream.get_stream("EVENTS").await.expect("a stream");
    assert_eq!(stream.cached_info().state.messages, 11);
    stop.cancel();
    for feed in [slow_feed, fast_feed] {
        soon(feed).await.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_tenant_has_its_own_subjects_also_when_the_feed_starts_again_in_the_middle() {
    let scene = Scene::new();
    let log = Log::new();

    // Given builds of three tenants, all at once
    let builds = [(1, "acme"), (2, "globex"), (3, "default")];
    let happen_to_all = |kind| builds.iter().for_each(|(of, tenant)| log.happen(*of, tenant, kind, "{}"));
    happen_to_all("build_submitted");

    // When they are told by one feed, and then by another
    for round in 1..=2 {
        let stop = CancellationToken::new();
        happen_to_all("task_started");
        let feed = feed(&scene.bus().await, &log, &stop);
        told(&scene, 3 + 3 * round).await;
        stop.cancel();
        soon(feed).await.expect("no panic");
    }

    // Then
    let told = told(&scene, 9).await;
    assert_dense(&told, 1);
    let of = |of: u64| -> Vec<&str> {
        let of = serde_json::json!(build(of));
        told.iter().filter(|(_, event)| event["build"] == of).map(|(subject, _)| subject.as_str()).collect()
    };
    for (number, tenant) in builds {
        let kinds = ["build_submitted", "task_started", "task_started"];
        assert_eq!(of(number), kinds.map(|kind| format!("buildwright.events.{tenant}.{kind}")));
    }
}
