use super::OutputStream;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// Lines of output, in order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputList {
    /// The lines.
    #[schema(max_items = 1_000)]
    pub(crate) lines: Vec<OutputLine>,
    /// The `after` with which to go on.
    pub(crate) next: u64,
}

/// A line of output.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputLine {
    /// Its place among the lines of its task, all attempts together; the meaning of `after`.
    seq: u64,
    /// The attempt that wrote it.
    attempt: u32,
    /// Where it came from.
    stream: OutputStream,
    /// When it was read.
    at: DateTime<Utc>,
    /// The line without its end.
    #[schema(max_length = 16_777_216)]
    text: String,
}

impl From<ports::OutputLine> for OutputLine {
    fn from(line: ports::OutputLine) -> Self {
        Self {
            seq: line.seq,
            attempt: line.attempt.0,
            stream: line.stream.into(),
            at: line.at,
            text: line.text,
        }
    }
}

impl OutputList {
    /// A page that was read after a line.
    pub(crate) fn of(page: Vec<ports::OutputLine>, after: u64) -> Self {
        let next = page.last().map_or(after, |line| line.seq);
        Self { lines: page.into_iter().map(OutputLine::from).collect(), next }
    }
}
