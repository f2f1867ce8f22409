//! How many outcomes a second a spool takes, by how many report at the same time, before a bus that has and
//! confirms each at once.
//!
//! `cargo run --release -p buildwright-executor --example spool_rate [FOLDER]`
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use async_trait::async_trait;
use buildwright_executor::{OutcomeSpool, SpoolSettings};
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use plan::TaskNumber;
use ports::{Answer, BusError, Confirmation, ExecutorName, OutcomeBus, OutcomeReport, Received};
use std::{
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use ulid::Ulid;

const SPAN: Duration = Duration::from_secs(5);

struct Confirming;

#[async_trait]
impl OutcomeBus for Confirming {
    async fn report(&self, _: OutcomeReport) -> Result<Confirmation, BusError> {
        let (grant, confirmation) = Confirmation::pair();
        // The other side is at hand.
        let _ = grant.send(Answer::Accepted);
        Ok(confirmation)
    }

    async fn reports(&self, _: usize) -> Result<Vec<Received>, BusError> {
        Err(BusError::Closed)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    for reporters in [1, 10, 50] {
        let folder = tempfile::tempdir_in(&folder)?;
        let (bus, settings) = (Arc::new(Confirming), SpoolSettings::default());
        let spool = OutcomeSpool::open(folder.path().to_owned(), bus, settings).await?;
        let begun = Instant::now();
        let reporting: Vec<_> = (0..reporters).map(|n| tokio::spawn(report(spool.clone(), n))).collect();
        let mut times = Vec::new();
        for reported in reporting {
            times.extend(reported.await??);
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of a few seconds are small")]
        let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
        spool.close(SPAN).await;
        times.sort_unstable();
        let percentile = |p: usize| times.get(times.len() * p / 100).copied().unwrap_or_default();
        println!(
            "{reporters:3} report: {rate:7.0} reports/s, p50 {:?}, p99 {:?}",
            percentile(50),
            percentile(99)
        );
    }
    Ok(())
}

async fn report(spool: OutcomeSpool, build: u128) -> Result<Vec<Duration>, BusError> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    for number in 0.. {
        let reported = Instant::now();
        if reported - begun > SPAN {
            break;
        }
        let work = Work::Task(TaskNumber(number));
        // As large as a usual outcome.
        let executor = ExecutorName("e".repeat(600).into());
        let build = BuildId::new(Ulid(build));
        spool.report(OutcomeReport::Lost { build, work, attempt: Attempt::FIRST, executor }).await?;
        times.push(reported.elapsed());
    }
    Ok(times)
}
