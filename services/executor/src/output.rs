//! From the lines of a run to the output log, without ever holding the run up.

use chrono::{DateTime, Utc};
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use ports::{Clock, OutputChunk, OutputLog, OutputStream};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{sync::Notify, task::JoinHandle};

/// Most bytes that wait to be written; what comes on top is dropped and counted.
const MOST_WAITING: usize = 4 << 20;
/// What a line takes beside its text: itself, and what the allocator keeps of a small text.
const LINE_BYTES: usize = size_of::<Line>() + 32;

type Line = (OutputStream, DateTime<Utc>, String);

/// Takes the lines of one attempt.
pub struct Output {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    log: Arc<dyn OutputLog>,
    clock: Arc<dyn Clock>,
    build: BuildId,
    work: Work,
    attempt: Attempt,
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<Line>,
    bytes: usize,
    dropped: u64,
    closed: bool,
}

impl Output {
    /// Opens the output of an attempt.
    #[must_use]
    pub fn open(
        log: Arc<dyn OutputLog>,
        clock: Arc<dyn Clock>,
        build: BuildId,
        work: Work,
        attempt: Attempt,
    ) -> Self {
        let waiting = Mutex::default();
        let shared = Arc::new(Shared { log, clock, build, work, attempt, waiting, more: Notify::new() });
        let writer = Some(tokio::spawn(Arc::clone(&shared).write_all()));
        Self { shared, writer }
    }

    /// Takes a line.
    pub fn line(&self, stream: OutputStream, text: impl Into<String>) {
        let text = text.into();
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Empty lines take memory, too.
        let bytes = LINE_BYTES + text.len();
        if waiting.bytes + bytes > MOST_WAITING {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += bytes;
        waiting.lines.push((stream, self.shared.clock.now(), text));
        drop(waiting);
        self.shared.more.notify_one();
    }

    /// Returns when everything taken is written.
    pub async fn close(mut self) {
        self.shared.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.await;
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn close(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.more.notify_one();
    }

    async fn write_all(self: Arc<Self>) {
        loop {
            let (lines, closed) = self.take();
            if !lines.is_empty() {
                let chunk = OutputChunk { build: self.build, work: self.work, attempt: self.attempt, lines };
                self.log.write(chunk).await;
            } else if closed {
                return;
            } else {
                self.more.notified().await;
            }
        }
    }

    fn take(&self) -> (Vec<Line>, bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = 0;
        let mut lines = std::mem::take(&mut waiting.lines);
        let dropped = std::mem::take(&mut waiting.dropped);
        if dropped > 0 {
            let note = format!("{dropped} lines came faster than they could be written and are left out");
            lines.push((OutputStream::System, self.clock.now(), note));
        }
        (lines, waiting.closed)
    }
}
