//! Output of runs: a bounded stream beside the event log. Losing some of it loses no truth.

use crate::StoreError;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// A JSON line of the Claude CLI, as it was written.
    Claude,
    /// Standard output of a command or check.
    Stdout,
    /// Standard error.
    Stderr,
    /// What the executor itself says about the attempt.
    System,
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputLine {
    /// Its place among the lines of its work, all attempts together, from 1.
    pub seq: u64,
    /// Which try wrote it.
    pub attempt: Attempt,
    /// Where it came from.
    pub stream: OutputStream,
    /// When it was read.
    pub at: DateTime<Utc>,
    /// The line without its end; cut to the bound of the log.
    pub text: String,
}

/// Lines to be added; the log numbers them.
#[derive(Debug, Clone)]
pub struct OutputChunk {
    /// For which build.
    pub build: BuildId,
    /// Which work.
    pub work: Work,
    /// Which try.
    pub attempt: Attempt,
    /// Stream, time and text of each line.
    pub lines: Vec<(OutputStream, DateTime<Utc>, String)>,
}

/// The log of output.
#[async_trait]
pub trait OutputLog: Send + Sync {
    /// Adds lines. Never fails and never blocks a run: what cannot be kept is dropped and counted in a line
    /// that says so.
    async fn write(&self, chunk: OutputChunk);

    /// Lines after a place, in order, at most `limit`.
    ///
    /// # Errors
    /// If they cannot be read.
    async fn read(
        &self,
        build: BuildId,
        work: Work,
        after: u64,
        limit: usize,
    ) -> Result<Vec<OutputLine>, StoreError>;

    /// The number of the last line, kept up to date while somebody follows.
    fn follow(&self, build: BuildId, work: Work) -> watch::Receiver<u64>;
}
