//! The benchmark: what the orchestration costs when the work itself costs nothing.
//!
//! Everything is real but the work: HTTP over loopback, driver, projector, queue, and SQLite with
//! `synchronous=FULL` on the disk of the data directory; or PostgreSQL and NATS, with api, driver and projector as
//! processes of their own. The load generator shares the machine. Each measure starts from an empty store, or
//! from one with as many ended builds as asked for.

mod fleet;
mod measures;
mod noop;
mod receiver;
mod report;
mod stack;
mod stored;
mod webhooks;

use clap::ValueEnum as _;
pub(crate) use fleet::Servers;
use report::{Figure, Report};
use std::path::PathBuf;

/// One of the things that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Measure {
    /// From a submission to the executor's start, one build at a time
    Latency,
    /// One-task builds, submitted by many clients
    Builds,
    /// One build of many tasks, and its replay
    Tasks,
    /// Appends of single events by 1, 16 and 64 writers
    Appends,
    /// Deliveries to webhook endpoints: how soon they come, and how many
    Webhooks,
}

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What is measured.
    pub(crate) measures: Vec<Measure>,
    /// Where data directories are made, one a measure; removed afterwards.
    pub(crate) directory: Option<PathBuf>,
    /// The servers of a fleet; the embedded stack without.
    pub(crate) fleet: Option<Servers>,
    /// Builds that lie in the store before anything is measured.
    pub(crate) stored_builds: usize,
    /// Builds for the latency measure, one after another.
    pub(crate) latency_builds: usize,
    /// Builds for the throughput measure.
    pub(crate) builds: usize,
    /// Tasks of the one large build.
    pub(crate) tasks: u32,
    /// Appends for each number of writers.
    pub(crate) appends: usize,
    /// Deliveries for the webhook measure.
    pub(crate) webhooks: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            measures: Measure::value_variants().to_vec(),
            directory: None,
            fleet: None,
            stored_builds: 0,
            latency_builds: 1_000,
            builds: 10_000,
            tasks: 5_000,
            appends: 20_000,
            webhooks: 20_000,
        }
    }
}

/// Measures what the plan says and returns the report.
pub(crate) async fn run(plan: &Plan) -> anyhow::Result<Report> {
    if let Some(servers) = &plan.fleet {
        servers.refuse_if_in_use().await?;
    }
    let mut figures: Vec<Figure> = Vec::new();
    for measure in &plan.measures {
        match measure {
            Measure::Latency => figures.extend(measures::latency(plan).await?),
            Measure::Builds => figures.extend(measures::builds(plan).await?),
            Measure::Tasks => figures.extend(measures::large_build(plan).await?),
            Measure::Appends => {
                for writers in [1, 16, 64] {
                    figures.push(measures::appends(plan, writers).await?);
                }
            }
            Measure::Webhooks => {
                figures.extend(webhooks::latency(plan).await?);
                figures.extend(webhooks::throughput(plan).await?);
            }
        }
    }
    Ok(Report::new(plan, figures))
}
