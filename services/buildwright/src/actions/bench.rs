//! `bench`.

use super::json;
use crate::{bench, cli::BenchArgs, render::print};
use std::process::ExitCode;

pub(crate) async fn bench(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let plan = bench::Plan { directory: args.dir, ..bench::Plan::default() };
    let report = Box::pin(bench::run(&plan)).await?;
    print(&if args.json { json(&report)? } else { report.to_string().trim_end().to_owned() })?;
    Ok(ExitCode::SUCCESS)
}
