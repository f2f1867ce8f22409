//! The stories that every bus passes. Driver and executors have connections of their own.

use crate::scene::Scene;
use buildwright_bus_nats::{NatsOptions, NatsRoster, OutputBounds, RosterBounds};
use ports::{ArtifactStore, OutcomeBus, OutputLog, Roster, TaskQueue};
use std::{sync::Arc, time::Duration};
use testkit::bus::{Stage, output::Bounds};

async fn queue(queue_capacity: u32) -> Stage<Arc<dyn TaskQueue>> {
    let mut scene = Scene::new();
    scene.options = NatsOptions { queue_capacity, ..scene.options };
    Stage {
        driver: Arc::new(scene.queue().await),
        executors: [Arc::new(scene.queue().await), Arc::new(scene.queue().await)],
        keep: Box::new(scene),
    }
}

async fn outcomes() -> Stage<Arc<dyn OutcomeBus>> {
    let scene = Scene::new();
    Stage {
        driver: Arc::new(scene.outcomes().await),
        executors: [Arc::new(scene.outcomes().await), Arc::new(scene.outcomes().await)],
        keep: Box::new(scene),
    }
}

async fn output(Bounds { work_bytes, line_bytes }: Bounds) -> Stage<Arc<dyn OutputLog>> {
    let scene = Scene::new();
    let bounds = OutputBounds { work_bytes, line_bytes, ..OutputBounds::default() };
    Stage {
        driver: Arc::new(scene.output(bounds).await),
        executors: [Arc::new(scene.output(bounds).await), Arc::new(scene.output(bounds).await)],
        keep: Box::new(scene),
    }
}

async fn artifacts() -> Stage<Arc<dyn ArtifactStore>> {
    let scene = Scene::new();
    Stage {
        driver: Arc::new(scene.nats_artifacts().await),
        executors: [Arc::new(scene.nats_artifacts().await), Arc::new(scene.nats_artifacts().await)],
        keep: Box::new(scene),
    }
}

async fn roster(silence: Duration) -> Stage<Arc<dyn Roster>> {
    let scene = Scene::new();
    let bounds = RosterBounds { expiry: silence, ..RosterBounds::default() };
    let roster = async || Arc::new(NatsRoster::new(&scene.bus().await, bounds));
    Stage { driver: roster().await, executors: [roster().await, roster().await], keep: Box::new(scene) }
}

mod queue_stories {
    testkit::queue_stories!(super::queue);
}

mod outcome_stories {
    testkit::outcome_stories!(super::outcomes);
}

mod output_stories {
    testkit::output_stories!(super::output);
}

mod artifact_stories {
    testkit::artifact_stories!(super::artifacts);
}

mod roster_stories {
    testkit::roster_stories!(super::roster);
}
