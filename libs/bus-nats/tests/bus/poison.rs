//! Work that nobody comes to an end with.

use crate::scene::{Scene, attempt};
use domain::FailureClass;
use ports::{OutcomeBus, OutcomeReport, TaskQueue};
use std::time::Duration;
use testkit::bus::{build, order, soon, task};

/// The one report of a failure that comes of `max_deliver` executors giving up.
async fn expect_failure(outcomes: &dyn OutcomeBus, deliveries: u32) {
    let received = soon(outcomes.reports(10)).await.expect("open");
    for received in received {
        assert_eq!(attempt(&received), 4);
        let OutcomeReport::Finished { build: of, work, outcome, .. } = &received.report else {
            panic!("it was never started")
        };
        assert_eq!((*of, *work), (build(1), task(1)));
        let failure = outcome.result.as_ref().expect_err("a failure");
        assert_eq!(failure.class, FailureClass::Lost);
        assert!(failure.message.contains(&deliveries.to_string()), "{failure}");
        received.receipt.confirm().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_that_was_given_back_too_often_becomes_a_failure_and_leaves_the_queue() {
    let mut scene = Scene::new();
    scene.options.max_deliver = 3;
    let (queue, outcomes) = (scene.queue().await, scene.outcomes().await);
    queue.offer(order(1, task(1), 4)).await.expect("taken");
    let hopeless = tokio::spawn({
        let queue = queue.clone();
        async move { while queue.take().await.map(drop).is_ok() {} }
    });
    expect_failure(&outcomes, 3).await;
    hopeless.abort();
    // Nothing is left behind, and what comes after is handed out.
    queue.offer(order(1, task(2), 1)).await.expect("taken");
    let next = soon(queue.take()).await.expect("open");
    assert_eq!(next.order().work, task(2));
    next.settle().await;
    assert_eq!(scene.orders().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_that_nobody_can_read_becomes_a_failure() {
    let mut scene = Scene::new();
    scene.options.max_deliver = 2;
    let (queue, outcomes) = (scene.queue().await, scene.outcomes().await);
    let subject = format!("buildwright.tasks.default._.{}.task-1.4", build(1));
    let newer = r#"{"schemaVersion":999,"body":{}}"#;
    let jetstream = scene.jetstream().await;
    jetstream.publish(subject, newer.into()).await.expect("sent").await.expect("stored");
    let taking = tokio::spawn(async move { queue.take().await.map(drop) });
    expect_failure(&outcomes, 2).await;
    assert!(!taking.is_finished());
    taking.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_whose_advisory_got_lost_is_found_by_the_sweep() {
    let mut scene = Scene::new();
    scene.options.max_deliver = 1;
    scene.options.sweep_every = Duration::from_millis(300);
    let queue = scene.queue().await;
    queue.offer(order(1, task(1), 4)).await.expect("taken");
    drop(soon(queue.take()).await.expect("open"));
    // The server notices when somebody asks for more.
    queue.offer(order(1, task(2), 1)).await.expect("taken");
    let next = soon(queue.take()).await.expect("open");
    assert_eq!(next.order().work, task(2));
    next.settle().await;
    let advisories = scene.jetstream().await.get_stream("ADVISORIES").await.expect("a stream");
    soon(async {
        while advisories.purge().await.expect("purged").purged == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    expect_failure(&scene.outcomes().await, 1).await;
    soon(async {
        while scene.orders().await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
