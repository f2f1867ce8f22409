//! Streams and consumers are removed and made again under a fleet whose connections stay up.

use crate::scene::Scene;
use async_nats::jetstream;
use buildwright_bus_nats::{NatsOutcomes, NatsQueue};
use domain::{
    Usage,
    build::{Attempt, Outcome, Work},
};
use futures::future::try_join_all;
use plan::TaskNumber;
use ports::{Answer, ExecutorName, OutcomeBus, OutcomeReport, TaskQueue, WorkOrder};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use testkit::bus::{order, soon, task};
use tokio::task::JoinSet;

/// What the drivers have heard of.
type Reported = Arc<Mutex<BTreeSet<u32>>>;

/// Two processes that drive and two that execute. It works until this value goes.
struct Fleet {
    driver: NatsQueue,
    reported: Reported,
    _at_work: JoinSet<()>,
}

impl Fleet {
    async fn of(scene: &Scene) -> Self {
        let (reported, mut at_work) = (Reported::default(), JoinSet::new());
        for _ in 0..2 {
            at_work.spawn(hear(scene.outcomes().await, Arc::clone(&reported)));
            let bus = scene.bus().await;
            let (queue, outcomes) = (scene.queue_of(&bus), scene.outcomes_of(&bus));
            for _slot in 0..4 {
                at_work.spawn(work(queue.clone(), outcomes.clone()));
            }
        }
        Self { driver: scene.queue().await, reported, _at_work: at_work }
    }

    fn is_reported(&self, n: u32) -> bool {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).contains(&n)
    }

    /// Sees orders through: what the queue has not got and nobody reported is offered again. A driver goes on to the
    /// next attempt, which would hide that an order was settled in the place of another: the queue takes none again
    /// that it remembers the id of.
    async fn see_through(&self, orders: impl Iterator<Item = u32> + Clone) {
        let done = async {
            while let Some(n) = orders.clone().find(|&n| !self.is_reported(n)) {
                for n in (n..).take_while(|n| orders.clone().any(|m| m == *n)) {
                    let order = order(1, task(n), 1);
                    if !self.is_reported(n) && self.driver.has(&order).await.is_ok_and(|there| !there) {
                        let _ = self.driver.offer(order).await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // Several things may have to be mended one after the other, each of which takes its seconds to be noticed.
        tokio::time::timeout(Duration::from_secs(120), done).await.expect("seen through");
    }
}

/// A slot of an executor: its outcomes are reported until they are confirmed.
async fn work(queue: NatsQueue, outcomes: NatsOutcomes) {
    while let Ok(lease) = queue.take().await {
        let WorkOrder { build, work, attempt, .. } = *lease.order();
        let outcomes = outcomes.clone();
        tokio::spawn(async move {
            loop {
                let confirmation = outcomes.report(finished(build, work, attempt)).await.expect("open");
                let confirmed = tokio::time::timeout(Duration::from_secs(2), confirmation.granted()).await;
                if confirmed == Ok(true) {
                    break;
                }
            }
        });
        lease.settle().await;
    }
}

fn finished(build: domain::BuildId, work: Work, attempt: Attempt) -> OutcomeReport {
    let failure = domain::Failure::new(domain::FailureClass::CheckFailed, "exited with 1");
    let outcome = Outcome { result: Err(failure), usage: Usage::default(), session_id: None, duration_ms: 7 };
    OutcomeReport::Finished { build, work, attempt, executor: ExecutorName("executor-1".into()), outcome }
}

/// A driver that is told outcomes. It waits for no confirmation before the next: of what came from a stream that
/// was removed since, the server says nothing.
async fn hear(outcomes: NatsOutcomes, reported: Reported) {
    while let Ok(received) = outcomes.reports(16).await {
        for received in received {
            if let (_, Work::Task(TaskNumber(n)), _) = received.report.about() {
                reported.lock().unwrap_or_else(PoisonError::into_inner).insert(n);
            }
            tokio::spawn(received.receipt.confirm(Answer::Accepted));
        }
    }
}

/// What somebody does to the server by hand.
#[derive(Debug, Clone, Copy)]
enum Fault {
    ConsumerRemoved,
    StreamRemoved,
    StreamMadeAnew,
}

async fn befall(jetstream: &jetstream::Context, fault: Fault, (stream, consumer): (&str, &str)) {
    // What is to be removed may just have been removed, or not be there again yet.
    match fault {
        Fault::ConsumerRemoved => {
            let _ = jetstream.delete_consumer_from_stream(consumer, stream).await;
        }
        Fault::StreamRemoved => {
            let _ = jetstream.delete_stream(stream).await;
        }
        Fault::StreamMadeAnew => {
            if let Ok(found) = jetstream.get_stream(stream).await {
                let config = found.cached_info().config.clone();
                let _ = jetstream.delete_stream(stream).await;
                let _ = jetstream.create_stream(config).await;
            }
        }
    }
}

/// A sequence that is the same every time.
struct Dice(u64);

impl Dice {
    fn throw<T: Copy>(&mut self, sides: &[T]) -> T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let side = usize::try_from(self.0 >> 33).expect("31 bits") % sides.len();
        sides[side]
    }
}

/// Consumers for orders that nobody offers: a stream with many takes its time to go.
async fn burden(jetstream: &jetstream::Context) {
    let making = (0..600).map(|n| {
        let config = jetstream::consumer::pull::Config {
            durable_name: Some(format!("nobody_{n}")),
            filter_subject: format!("buildwright.tasks.default.nobody{n}.>"),
            ..Default::default()
        };
        jetstream.create_consumer_on_stream(config, "TASKS")
    });
    soon(try_join_all(making)).await.expect("made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_is_removed_under_a_fleet_work_goes_on() {
    const ORDERS: u32 = 20;
    let (mut scene, mut dice) = (Scene::new(), Dice(7));
    // What is removed in the very moment in which it is made may break for good, and is mended.
    scene.options.request_timeout = Duration::from_secs(1);
    scene.options.mute_after = Duration::from_secs(4);
    let (fleet, jetstream) = (Fleet::of(&scene).await, scene.jetstream().await);
    for round in 0..6 {
        let orders = round * ORDERS..(round + 1) * ORDERS;
        for n in orders.clone() {
            let _ = fleet.driver.offer(order(1, task(n), 1)).await;
        }
        for _ in 0..2 {
            let fault = dice.throw(&[Fault::ConsumerRemoved, Fault::StreamRemoved, Fault::StreamMadeAnew]);
            let whose = dice.throw(&[("TASKS", "executors"), ("OUTCOMES", "driver")]);
            befall(&jetstream, fault, whose).await;
            tokio::time::sleep(Duration::from_millis(dice.throw(&[0, 100, 400, 1_200]))).await;
        }
        fleet.see_through(orders).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_came_from_a_stream_made_anew_since_settles_nobody_elses_order() {
    // Given an executor at work that asks for no more, and hence hears nothing of its stream
    let mut scene = Scene::new();
    scene.options.ack_wait = Duration::from_secs(20);
    let (driver, busy, other) = (scene.queue().await, scene.queue().await, scene.queue().await);
    driver.offer(order(1, task(1), 1)).await.expect("taken");
    let before = soon(busy.take()).await.expect("open");

    // When the stream is made anew, and what was first in it is another's now
    befall(&scene.jetstream().await, Fault::StreamMadeAnew, ("TASKS", "executors")).await;
    driver.offer(order(1, task(2), 1)).await.expect("taken");
    let since = soon(other.take()).await.expect("open");
    before.settle().await;

    // Then the other has it still.
    assert!(driver.has(&order(1, task(2), 1)).await.expect("told"));
    since.settle().await;
    assert!(!driver.has(&order(1, task(2), 1)).await.expect("told"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_at_work_goes_on_when_the_stream_of_its_order_is_made_anew() {
    // Given an executor at work that renews its lease every second
    let mut scene = Scene::new();
    scene.options.ack_wait = Duration::from_secs(3);
    let (driver, busy, other) = (scene.queue().await, scene.queue().await, scene.queue().await);
    driver.offer(order(1, task(1), 1)).await.expect("taken");
    let lease = soon(busy.take()).await.expect("open");

    // When the stream is made anew, and what was first in it is done
    befall(&scene.jetstream().await, Fault::StreamMadeAnew, ("TASKS", "executors")).await;
    driver.offer(order(1, task(2), 1)).await.expect("taken");
    soon(other.take()).await.expect("open").settle().await;

    // Then what was at its place is not taken for withdrawn.
    let revoked = lease.revoked();
    let revoked = tokio::time::timeout(Duration::from_millis(2_500), revoked.cancelled()).await;
    assert!(revoked.is_err(), "work that nobody withdrew was stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stream_that_takes_its_time_to_go_is_not_made_again_before() {
    let mut scene = Scene::new();
    // Then nothing would mend it.
    scene.options.mute_after = Duration::from_hours(1);
    let (fleet, jetstream) = (Fleet::of(&scene).await, scene.jetstream().await);
    for round in 0..3 {
        // Given a fleet that waits for work, and a stream that is not removed in an instant
        fleet.see_through(round..round + 1).await;
        burden(&jetstream).await;
        // A bus that looked at its streams just now would not do so again at once.
        tokio::time::sleep(Duration::from_millis(300)).await;

        // When somebody removes it
        jetstream.delete_stream("TASKS").await.expect("removed");

        // Then the fleet has it again, with its files.
        fleet.see_through(100 + round..101 + round).await;
        let kept = scene.server.data().join("jetstream/$G/streams/TASKS/meta.inf");
        assert!(kept.exists(), "round {round}: the server keeps no files of the stream");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn queues_that_take_nothing_any_more_are_made_anew() {
    let mut scene = Scene::new();
    scene.options.request_timeout = Duration::from_millis(500);
    scene.options.mute_after = Duration::from_secs(2);
    let fleet = Fleet::of(&scene).await;
    // Of streams into which nothing was ever published no file is open: nothing can be.
    scene.server.wipe_data();
    fleet.see_through(0..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_removed_consumer_left_behind_hides_no_orders() {
    let scene = Scene::new();
    let (fleet, jetstream) = (Fleet::of(&scene).await, scene.jetstream().await);
    fleet.see_through(0..20).await;

    // Given a stream of which only the consumer's state is left
    let (state, aside) = (
        scene.server.data().join("jetstream/$G/streams/TASKS/obs/executors"),
        scene.server.data().join("aside"),
    );
    copy(&state, &aside);
    jetstream.delete_stream("TASKS").await.expect("removed");
    copy(&aside, &state);

    // When it is made again, then what is offered is given out.
    fleet.see_through(100..105).await;
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}
