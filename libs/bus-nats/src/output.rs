//! Lines of output: a stream bounded by age and size, a subject per piece of work, some lines a message.
//!
//! Whoever writes numbers the lines: a message is published on condition that the one before it is still the last
//! of its subject, so numbers are dense though a lost executor may still be writing. Followers are told under a
//! subject of their own, after the lines are stored: the stream's own would tell them too early, and of lines
//! that were refused.

mod reading;
mod writing;

use crate::{
    NatsBus,
    subjects::{self, OUTPUT},
};
use async_trait::async_trait;
use domain::{BuildId, build::Work};
use futures::StreamExt;
use ports::{OutputChunk, OutputLine, OutputLog, StoreError};
use reading::Marks;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex as AsyncMutex, watch};
use writing::Writer;

/// The number of the last line of a message.
const LAST: &str = "Buildwright-Last";
/// How many bytes the work's messages have, up to and with this one.
const BYTES: &str = "Buildwright-Bytes";
/// Says that nothing follows.
const FULL: &str = "Buildwright-Full";

/// How many writers are remembered while nobody uses them.
const WRITERS: usize = 1_024;
/// How often followers look themselves: news may get lost.
const LOOK: Duration = Duration::from_secs(15);

/// How much output is kept of one piece of work; how much of all, and how long, is the bus's to say.
#[derive(Debug, Clone, Copy)]
pub struct OutputBounds {
    /// Most bytes of one piece of work; what comes after is dropped.
    pub work_bytes: u64,
    /// Most bytes of the text of one line, at most 128 KiB; the rest of the line is cut off.
    pub line_bytes: usize,
    /// How long a write may wait for NATS. After that its lines are lost, and counted.
    pub patience: Duration,
}

impl OutputBounds {
    /// As JSON, a line may grow sixfold, and a message has at most 1 MiB.
    const MOST_LINE_BYTES: usize = 128 << 10;
}

impl Default for OutputBounds {
    fn default() -> Self {
        Self { work_bytes: 16 << 20, line_bytes: Self::MOST_LINE_BYTES, patience: Duration::from_secs(2) }
    }
}

/// Some lines, as they are stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    schema_version: u16,
    lines: Vec<OutputLine>,
}

/// Whose output.
type WorkId = (BuildId, Work);

/// Output on JetStream. Clones are the same log; any number of processes may write and read.
#[derive(Clone)]
pub struct NatsOutputLog {
    bus: NatsBus,
    bounds: OutputBounds,
    /// Begins the message ids of this process.
    writer: Arc<str>,
    writers: Arc<Mutex<HashMap<WorkId, Arc<AsyncMutex<Writer>>>>>,
    marks: Arc<Marks>,
}

impl NatsOutputLog {
    /// The output of a bus.
    #[must_use]
    pub fn new(bus: &NatsBus, bounds: OutputBounds) -> Self {
        let line_bytes = bounds.line_bytes.min(OutputBounds::MOST_LINE_BYTES);
        let writer = bus.client.new_inbox().into();
        let bounds = OutputBounds { line_bytes, ..bounds };
        Self { bus: bus.clone(), bounds, writer, writers: Arc::default(), marks: Arc::default() }
    }

    /// Removes all output of a build.
    ///
    /// # Errors
    /// If the bus cannot.
    pub async fn remove_build(&self, build: BuildId) -> Result<(), StoreError> {
        let removed = self.bus.purge(OUTPUT, subjects::output_of_build(build)).await;
        self.writers().retain(|(of, _), _| *of != build);
        removed.map_err(StoreError::Unavailable)
    }

    fn writers(&self) -> std::sync::MutexGuard<'_, HashMap<WorkId, Arc<AsyncMutex<Writer>>>> {
        // Nothing between two changes can panic.
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self, work: WorkId) -> Arc<AsyncMutex<Writer>> {
        let mut writers = self.writers();
        if writers.len() >= WRITERS {
            writers.retain(|_, writer| {
                // One that owes a line about lost ones, or is at work, is kept.
                Arc::strong_count(writer) > 1 || writer.try_lock().is_ok_and(|writer| writer.owes())
            });
        }
        Arc::clone(writers.entry(work).or_default())
    }
}

#[async_trait]
impl OutputLog for NatsOutputLog {
    async fn write(&self, chunk: OutputChunk) {
        if chunk.lines.is_empty() {
            return;
        }
        let work = (chunk.build, chunk.work);
        let writer = self.writer(work);
        let mut writer = writer.lock().await;
        if let Some(last) = writer.write(self, work, chunk).await {
            let news = subjects::output_news(work.0, work.1);
            // Followers that do not hear of it look themselves.
            let _ = self.bus.client.publish(news, last.to_string().into()).await;
        }
    }

    async fn read(
        &self,
        build: BuildId,
        work: Work,
        after: u64,
        limit: usize,
    ) -> Result<Vec<OutputLine>, StoreError> {
        reading::read(&self.bus, &self.marks, (build, work), after, limit)
            .await
            .map_err(StoreError::Unavailable)
    }

    fn follow(&self, build: BuildId, work: Work) -> watch::Receiver<u64> {
        let (told, follower) = watch::channel(0);
        self.bus.spawn(follow(self.bus.clone(), (build, work), told));
        follower
    }
}

/// Tells a follower the number of the last line until it has gone.
async fn follow(bus: NatsBus, (build, work): WorkId, told: watch::Sender<u64>) {
    let Ok(mut news) = bus.client.subscribe(subjects::output_news(build, work)).await else { return };
    let mut link = bus.link();
    let tell = |last: u64| {
        told.send_if_modified(|known| last > std::mem::replace(known, last.max(*known)));
    };
    loop {
        link.borrow_and_update();
        // Subscribed first, so that no line falls between what is there and what is told.
        if let Ok(Some(last)) = bus.last_message(OUTPUT, &subjects::output(build, work)).await {
            tell(number(&last.headers, LAST));
        }
        let look = tokio::time::sleep(LOOK);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = told.closed() => return,
                () = bus.closed.cancelled() => return,
                message = news.next() => match message {
                    Some(message) => tell(std::str::from_utf8(&message.payload).ok().and_then(|n| n.parse().ok()).unwrap_or(0)),
                    None => return,
                },
                _ = link.changed() => break,
                () = &mut look => break,
            }
        }
    }
}

/// A number that a header says; 0 if it says none.
fn number(headers: &async_nats::HeaderMap, name: &str) -> u64 {
    headers.get(name).and_then(|value| value.as_str().parse().ok()).unwrap_or(0)
}
