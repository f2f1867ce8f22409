//! What came out, for people and for machines.

use super::Plan;
use serde::Serialize;
use std::fmt;

/// One measured figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aim: Option<f64>,
}

impl Figure {
    pub(super) fn new(name: &str, value: f64, unit: &'static str, what: &str, aim: Option<f64>) -> Self {
        Self { name: name.to_owned(), value, unit, what: what.to_owned(), aim }
    }

    /// Times are to be below their aim, rates above it.
    fn verdict(&self) -> &'static str {
        match self.aim {
            None => "",
            Some(aim) if (self.unit == "ms") == (self.value <= aim) => "met",
            Some(_) => "missed",
        }
    }
}

/// All figures, with the machine they were taken on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    stack: &'static str,
    #[serde(rename = "storedBuilds")]
    stored_builds: usize,
    cores: usize,
    version: &'static str,
    figures: Vec<Figure>,
}

impl Report {
    pub(super) fn new(plan: &Plan, figures: Vec<Figure>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let stack = if plan.fleet.is_some() { "fleet" } else { "embedded" };
        let stored_builds = plan.stored_builds;
        Self { stack, stored_builds, cores, version: env!("CARGO_PKG_VERSION"), figures }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, stored_builds, cores, .. } = self;
        writeln!(f, "{stack} stack, {stored_builds} builds stored, {cores} cores, load generator included")?;
        for figure in &self.figures {
            let value = if figure.value < 100.0 {
                format!("{:.2}", figure.value)
            } else {
                format!("{:.0}", figure.value)
            };
            write!(f, "  {:<38} {value:>10} {:<3}", figure.what, figure.unit)?;
            if let Some(aim) = figure.aim {
                write!(f, "  aim {aim:.0}: {}", figure.verdict())?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
