//! `bench`.

use super::json;
use crate::{
    bench::{self, Plan, Servers},
    cli::BenchArgs,
    render::print,
};
use std::process::ExitCode;

pub(crate) async fn bench(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let fleet = args
        .database_url
        .zip(args.nats_url)
        .map(|(database_url, nats_url)| Servers { database_url, nats_url });
    let mut plan = Plan { directory: args.dir, fleet, stored_builds: args.stored_builds, ..Plan::default() };
    if !args.only.is_empty() {
        plan.measures = args.only;
    }
    let report = Box::pin(bench::run(&plan)).await?;
    print(&if args.json { json(&report)? } else { report.to_string().trim_end().to_owned() })?;
    Ok(ExitCode::SUCCESS)
}
