//! The stories that every bus passes. Driver and executors are one process.
#![expect(clippy::unused_async, reason = "factories of other buses wait for servers")]

use buildwright_bus_local::{
    FileOutputLog, FolderArtifacts, LocalOutcomes, LocalQueue, LocalRoster, OutputBounds,
};
use ports::{ArtifactStore, OutcomeBus, OutputLog, Roster, TaskQueue};
use std::{sync::Arc, time::Duration};
use testkit::bus::{Stage, output::Bounds};

async fn queue(capacity: usize) -> Stage<Arc<dyn TaskQueue>> {
    Stage::of_one_process(Arc::new(LocalQueue::new(capacity)), ())
}

async fn outcomes() -> Stage<Arc<dyn OutcomeBus>> {
    Stage::of_one_process(Arc::new(LocalOutcomes::new()), ())
}

async fn output(Bounds { work_bytes, line_bytes }: Bounds) -> Stage<Arc<dyn OutputLog>> {
    let folder = tempfile::tempdir().expect("a folder");
    let bounds = OutputBounds { work_bytes, line_bytes, ..OutputBounds::default() };
    Stage::of_one_process(Arc::new(FileOutputLog::new(folder.path().join("output"), bounds)), folder)
}

async fn artifacts() -> Stage<Arc<dyn ArtifactStore>> {
    let folder = tempfile::tempdir().expect("a folder");
    Stage::of_one_process(Arc::new(FolderArtifacts::new(folder.path().join("artifacts"))), folder)
}

async fn roster(silence: Duration) -> Stage<Arc<dyn Roster>> {
    Stage::of_one_process(Arc::new(LocalRoster::new(silence)), ())
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
