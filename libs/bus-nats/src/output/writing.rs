use super::{BYTES, FULL, LAST, Message, NatsOutputLog, OutputBounds, WorkId, number};
use crate::subjects::{self, OUTPUT};
use async_nats::{
    HeaderMap,
    jetstream::{context::PublishErrorKind, message::PublishMessage},
};
use chrono::{DateTime, Utc};
use ports::{OutputChunk, OutputLine, OutputStream};
use tokio::time::timeout;

/// Most bytes of lines in a message, unless one line alone is larger.
const MESSAGE: usize = 256 << 10;
/// So often somebody else may have written to the same work before ours.
const CONTENDED: usize = 20;

/// What is known of the output of one piece of work.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// The last message, as far as known.
    tail: Option<Tail>,
    /// The last number that this process gave: if the stream loses everything, numbering goes on after it,
    /// since followers wait for what comes after.
    given: u64,
    /// Lines that could not be written since the last that could.
    lost: u64,
    /// Messages that this process published, for their ids.
    published: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    sequence: u64,
    line: u64,
    bytes: u64,
    full: bool,
}

impl Writer {
    /// Whether there is something to say that must not be forgotten.
    pub(super) fn owes(&self) -> bool {
        self.lost > 0
    }

    /// Adds lines; returns the number of the last one, if any was stored.
    pub(super) async fn write(
        &mut self,
        log: &NatsOutputLog,
        work: WorkId,
        chunk: OutputChunk,
    ) -> Option<u64> {
        let lost = self.lost;
        // Whoever has waited in vain does not wait again before NATS is back.
        if lost > 0 && !log.bus.is_connected() {
            self.lost += chunk.lines.len() as u64;
            return None;
        }
        let mut left = chunk.lines.len() as u64;
        let mut lines = Vec::with_capacity(chunk.lines.len() + 1);
        if let (1.., Some((_, at, _))) = (lost, chunk.lines.first()) {
            lines.push((OutputStream::System, *at, format!("{lost} lines of output could not be kept")));
        }
        lines.extend(chunk.lines);
        let lines = lines.into_iter().map(|(stream, at, text)| cut(stream, at, text, &log.bounds));
        let lines: Vec<OutputLine> = lines
            .map(|(stream, at, text)| OutputLine { seq: 0, attempt: chunk.attempt, stream, at, text })
            .collect();
        let before = self.given;
        for piece in pieces(lines) {
            let count = piece.len() as u64;
            // Of each message: a large chunk takes its time even while all is well.
            let stored = timeout(log.bounds.patience, self.store(log, work, piece)).await;
            if let Err(error) = stored.unwrap_or_else(|late| Err(late.into())) {
                if self.lost == 0 {
                    tracing::warn!(%error, build.id = %work.0, "output of a run cannot be kept");
                }
                self.lost += left;
                self.tail = None;
                break;
            }
            self.lost = 0;
            left = left.saturating_sub(count);
        }
        (self.given > before).then_some(self.given)
    }

    /// Stores a message after the last one, whoever wrote that.
    async fn store(
        &mut self,
        log: &NatsOutputLog,
        work: WorkId,
        lines: Vec<OutputLine>,
    ) -> Result<(), async_nats::Error> {
        let subject = subjects::output(work.0, work.1);
        self.published += 1;
        let id = format!("{}:{}:{}:{}", log.writer, work.0, work.1, self.published);
        for _ in 0..CONTENDED {
            let tail = match self.tail {
                Some(tail) => tail,
                None => find_tail(log, &subject).await?,
            };
            if tail.full {
                self.tail = Some(tail);
                return Ok(());
            }
            let (message, next) = self.after(tail, lines.clone(), &log.bounds)?;
            let message = message.message_id(&id).expected_last_subject_sequence(tail.sequence);
            match log.bus.publish(&subject, message).await {
                // It had arrived before, when we did not hear of it.
                Ok(stored) if stored.duplicate => {
                    self.tail = None;
                    self.given = self.given.max(next.line);
                    return Ok(());
                }
                Ok(stored) => {
                    self.tail = Some(Tail { sequence: stored.sequence, ..next });
                    self.given = next.line;
                    return Ok(());
                }
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => self.tail = None,
                Err(error) => return Err(error.into()),
            }
        }
        Err("too many write to the same output".into())
    }

    /// The message after a tail, and the tail that it makes.
    fn after(
        &self,
        tail: Tail,
        mut lines: Vec<OutputLine>,
        bounds: &OutputBounds,
    ) -> Result<(PublishMessage, Tail), serde_json::Error> {
        let before = tail.line.max(self.given);
        let mut bytes = tail.bytes;
        let mut full = false;
        let fitting = lines.iter().take_while(|line| {
            let more = bytes + size(line) as u64;
            let fits = more <= bounds.work_bytes;
            if fits {
                bytes = more;
            }
            fits
        });
        let fitting = fitting.count();
        if let Some(over) = lines.get_mut(fitting) {
            full = true;
            over.stream = OutputStream::System;
            over.text =
                format!("output truncated: {} bytes are kept of each task's output", bounds.work_bytes);
            lines.truncate(fitting + 1);
        }
        let mut last = before;
        for line in &mut lines {
            last += 1;
            line.seq = last;
        }
        let mut headers = HeaderMap::new();
        headers.insert(LAST, last.to_string());
        headers.insert(BYTES, bytes.to_string());
        if full {
            headers.insert(FULL, "1");
        }
        let payload = serde_json::to_vec(&Message { schema_version: 1, lines })?;
        let message = PublishMessage::build().headers(headers).payload(payload.into());
        Ok((message, Tail { sequence: 0, line: last, bytes, full }))
    }
}

async fn find_tail(log: &NatsOutputLog, subject: &str) -> Result<Tail, async_nats::Error> {
    let Some(last) = log.bus.last_message(OUTPUT, subject).await? else { return Ok(Tail::default()) };
    Ok(Tail {
        sequence: last.sequence,
        line: number(&last.headers, LAST),
        bytes: number(&last.headers, BYTES),
        full: number(&last.headers, FULL) > 0,
    })
}

fn cut(
    stream: OutputStream,
    at: DateTime<Utc>,
    mut text: String,
    bounds: &OutputBounds,
) -> (OutputStream, DateTime<Utc>, String) {
    text.truncate(text.floor_char_boundary(bounds.line_bytes));
    (stream, at, text)
}

/// At most what a line takes as JSON.
fn size(line: &OutputLine) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    line.text.bytes().map(escaped).sum::<usize>() + 128
}

/// Lines in messages.
fn pieces(lines: Vec<OutputLine>) -> Vec<Vec<OutputLine>> {
    let (mut pieces, mut piece, mut bytes) = (Vec::new(), Vec::new(), 0);
    for line in lines {
        let more = size(&line);
        if bytes + more > MESSAGE && !piece.is_empty() {
            pieces.push(std::mem::take(&mut piece));
            bytes = 0;
        }
        bytes += more;
        piece.push(line);
    }
    pieces.push(piece);
    pieces
}
