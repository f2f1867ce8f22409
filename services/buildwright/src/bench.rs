//! The benchmark: what the orchestration costs when the work itself costs nothing.
//!
//! Everything is real but the work: HTTP over loopback, SQLite with `synchronous=FULL` on the disk of the
//! data directory, driver, projector, queue. The load generator shares the machine. Each measure starts from
//! an empty data directory.

mod measures;
mod noop;
mod report;

use crate::config::Config;
use crate::embedded::{Embedded, Options, start};
use crate::hands::ExecutorChoice;
use noop::NoopWorker;
use report::{Figure, Report};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Where data directories are made, one a measure; removed afterwards.
    pub(crate) directory: Option<PathBuf>,
    /// Builds for the latency measure, one after another.
    pub(crate) latency_builds: usize,
    /// Builds for the throughput measure.
    pub(crate) builds: usize,
    /// Tasks of the one large build.
    pub(crate) tasks: u32,
    /// Appends for each number of writers.
    pub(crate) appends: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { directory: None, latency_builds: 1_000, builds: 10_000, tasks: 5_000, appends: 20_000 }
    }
}

/// Measures everything and returns the report.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    let mut figures: Vec<Figure> = Vec::new();
    figures.extend(measures::latency(plan).await?);
    figures.extend(measures::builds(plan).await?);
    figures.extend(measures::large_build(plan).await?);
    for writers in [1, 16, 64] {
        figures.push(measures::appends(plan, writers).await?);
    }
    Ok(Report::new(figures))
}

/// A stack whose work costs nothing, in a directory of its own.
struct Stack {
    embedded: Embedded,
    worker: Arc<NoopWorker>,
    _directory: tempfile::TempDir,
}

impl Stack {
    async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("buildwright-bench-");
        let directory = match &plan.directory {
            Some(parent) => builder.tempdir_in(parent)?,
            None => builder.tempdir()?,
        };
        let worker = Arc::new(NoopWorker::default());
        let embedded = start(Options {
            data_dir: directory.path().to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            slots: 256,
            executor: ExecutorChoice::Worker(worker.clone()),
            config: Config::default(),
        })
        .await?;
        Ok(Self { embedded, worker, _directory: directory })
    }
}
