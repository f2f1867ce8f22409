//! A server that nobody else uses is left as it was found.

use crate::scene::Scene;
use buildwright_bus_nats::{NatsQueue, streams_on};
use ports::{BusError, TaskQueue};
use std::time::Duration;
use testkit::bus::{order, soon, task};

async fn there(scene: &Scene) -> Vec<String> {
    let mut there = soon(streams_on(&scene.options)).await.expect("told");
    there.sort();
    there
}

/// Whoever waits for work asks the server, so it hears when what it asked is removed.
async fn waits_for_work(queue: &NatsQueue) -> tokio::task::JoinHandle<Option<BusError>> {
    let waiting = queue.clone();
    let taking = tokio::spawn(async move {
        let first = waiting.take().await.expect("the first order");
        first.settle().await;
        waiting.take().await.err()
    });
    queue.offer(order(1, task(1), 1)).await.expect("taken");
    while soon(queue.has(&order(1, task(1), 1))).await.expect("told") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    taking
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_removed_is_not_made_again_by_who_removed_it() {
    let scene = Scene::new();
    assert_eq!(there(&scene).await, [""; 0]);
    for _ in 0..3 {
        // Given somebody who waits for work
        let bus = scene.bus().await;
        let queue = scene.queue_of(&bus);
        let taking = waits_for_work(&queue).await;
        let expected = [
            "ADVISORIES",
            "EVENTS",
            "OBJ_buildwright",
            "OBJ_buildwright-projects",
            "OUTCOMES",
            "OUTPUT",
            "TASKS",
        ];
        assert_eq!(there(&scene).await, expected);
        // The bus looks at its streams again only some time after it last did.
        tokio::time::sleep(Duration::from_millis(300)).await;

        // When all is removed
        soon(bus.remove_everything()).await.expect("removed");
        soon(bus.close()).await;

        // Then it is gone for good.
        assert!(matches!(soon(taking).await.expect("no panic"), Some(BusError::Closed)));
        assert_eq!(there(&scene).await, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_others_keep_on_the_server_stays() {
    let scene = Scene::new();
    let jetstream = scene.jetstream().await;
    for name in ["ORDERS", "TASKSFORCE", "OBJ_pictures"] {
        let config = async_nats::jetstream::stream::Config {
            name: name.to_owned(),
            subjects: vec![format!("others.{name}")],
            ..Default::default()
        };
        jetstream.create_stream(config).await.expect("made");
    }
    let bus = scene.bus().await;
    soon(bus.remove_everything()).await.expect("removed");
    soon(bus.close()).await;
    for name in ["ORDERS", "TASKSFORCE", "OBJ_pictures"] {
        jetstream.get_stream(name).await.expect("still there");
    }
    assert_eq!(there(&scene).await, [""; 0]);
}
