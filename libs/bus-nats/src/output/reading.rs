use super::{LAST, Message, WorkId, number};
use crate::{
    NatsBus,
    subjects::{self, OUTPUT},
};
use async_nats::jetstream::message::StreamMessage;
use ports::OutputLine;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How many places are remembered.
const MARKS: usize = 1_024;

/// Where readers were last: most go on from there.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<HashMap<WorkId, Mark>>);

/// A message: the number of its last line, and its own in the stream.
#[derive(Debug, Clone, Copy)]
struct Mark {
    line: u64,
    sequence: u64,
}

impl Marks {
    fn before(&self, work: WorkId, after: u64) -> Option<Mark> {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.get(&work).copied().filter(|mark| mark.line <= after)
    }

    fn set(&self, work: WorkId, mark: Mark) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= MARKS {
            marks.clear();
        }
        marks.insert(work, mark);
    }
}

/// Lines after a number, at most `limit`.
pub(super) async fn read(
    bus: &NatsBus,
    marks: &Marks,
    work: WorkId,
    after: u64,
    limit: usize,
) -> Result<Vec<OutputLine>, async_nats::Error> {
    let subject = subjects::output(work.0, work.1);
    let mut lines = Vec::new();
    let mut next = start(bus, marks, work, &subject, after).await?;
    while lines.len() < limit {
        let Some(message) = bus.message_from(OUTPUT, &subject, next).await? else { break };
        next = message.sequence + 1;
        let mark = mark(&message);
        if mark.line <= after {
            continue;
        }
        // What cannot be read is left out: a newer version may have written it.
        let read: Message = match serde_json::from_slice(&message.payload) {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, subject, "lines of output cannot be read");
                continue;
            }
        };
        let room = limit - lines.len();
        lines.extend(read.lines.into_iter().filter(|line| line.seq > after).take(room));
        if lines.last().is_some_and(|line: &OutputLine| line.seq == mark.line) {
            marks.set(work, mark);
        }
    }
    Ok(lines)
}

/// The number in the stream from which to look for the line after `after`.
async fn start(
    bus: &NatsBus,
    marks: &Marks,
    work: WorkId,
    subject: &str,
    after: u64,
) -> Result<u64, async_nats::Error> {
    if after == 0 {
        return Ok(1);
    }
    if let Some(mark) = marks.before(work, after) {
        // After the stream was lost, its numbers mean nothing; then what is found there is another message.
        let found = bus.message_from(OUTPUT, subject, mark.sequence).await?;
        if found.is_some_and(|found| found.sequence == mark.sequence && self::mark(&found).line == mark.line)
        {
            return Ok(mark.sequence + 1);
        }
    }
    search(bus, subject, after).await
}

/// Halves the stream until the message with the line is found.
async fn search(bus: &NatsBus, subject: &str, after: u64) -> Result<u64, async_nats::Error> {
    let Some(first) = bus.message_from(OUTPUT, subject, 1).await? else { return Ok(1) };
    let Some(last) = bus.last_message(OUTPUT, subject).await? else { return Ok(1) };
    if mark(&last).line <= after {
        return Ok(last.sequence + 1);
    }
    // Up to and with `low` every message ends at or before the line; from `high` on every one ends after it.
    let (mut low, mut high) = (first.sequence.saturating_sub(1), last.sequence);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        let Some(found) = bus.message_from(OUTPUT, subject, middle).await? else { break };
        match mark(&found) {
            Mark { line, sequence } if line <= after => low = sequence.min(high - 1),
            _ => high = middle,
        }
    }
    Ok(low + 1)
}

fn mark(message: &StreamMessage) -> Mark {
    Mark { line: number(&message.headers, LAST), sequence: message.sequence }
}
