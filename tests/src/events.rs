//! Events, as lists and as streams.

use futures::StreamExt;
use serde_json::Value;
use std::{collections::BTreeMap, pin::Pin};

/// The events of a build.
#[derive(Debug, Clone)]
pub struct Events(pub Vec<Value>);

impl Events {
    /// Those of a type.
    pub fn of<'e>(&'e self, kind: &'e str) -> impl Iterator<Item = &'e Value> {
        self.0.iter().filter(move |event| event["type"] == kind)
    }

    /// How many there are of a type.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.of(kind).count()
    }

    /// Their types, in order.
    #[must_use]
    pub fn kinds(&self) -> Vec<&str> {
        self.0.iter().map(|event| event["type"].as_str().expect("a type")).collect()
    }

    /// Those that tell of something that went wrong.
    #[must_use]
    pub fn wrong(&self) -> Vec<&Value> {
        let kinds = ["task_failed", "task_timeout", "attempt_lost", "merge_failed", "planning_failed"];
        kinds.iter().flat_map(|kind| self.of(kind)).collect()
    }

    /// Whether the build is over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        ["build_completed", "build_failed", "build_cancelled"].iter().any(|end| self.count(end) > 0)
    }

    /// How often each task completed, by its number.
    #[must_use]
    pub fn completions(&self) -> BTreeMap<u64, usize> {
        let mut completions = BTreeMap::new();
        for event in self.of("task_completed") {
            *completions.entry(event["data"]["task"].as_u64().expect("a task")).or_insert(0) += 1;
        }
        completions
    }

    /// The most tasks that were at work at once, by their starts and ends.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        let mut at_work = std::collections::BTreeSet::new();
        let mut most = 0;
        for event in &self.0 {
            let task = event["data"]["task"].as_u64();
            match event["type"].as_str().unwrap_or_default() {
                "task_started" => drop(at_work.insert(task)),
                "task_completed" | "task_failed" | "task_timeout" => drop(at_work.remove(&task)),
                "attempt_lost" => drop(at_work.remove(&event["data"]["work"]["task"].as_u64())),
                _ => {}
            }
            most = most.max(at_work.len());
        }
        most
    }

    /// Asserts that positions and versions rise by one from event to event, from `first` on.
    ///
    /// # Panics
    /// When one is missing, or comes twice.
    pub fn assert_dense(&self, first: u64) {
        for (index, event) in (0..).zip(&self.0) {
            assert_eq!(event["sequence"], first + index, "the positions have a gap or a repeat: {event}");
        }
    }
}

/// A stream of server-sent events.
pub struct Sse {
    bytes: Pin<Box<dyn futures::Stream<Item = reqwest::Result<Vec<u8>>> + Send>>,
    read: Vec<u8>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// `id:`
    pub id: String,
    /// `event:`
    pub kind: String,
    /// `data:`
    pub data: String,
}

impl Sse {
    pub(crate) fn of(response: reqwest::Response) -> Self {
        let bytes = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec()));
        Self { bytes: Box::pin(bytes), read: Vec::new() }
    }

    /// The next event; `None` when the stream is over.
    ///
    /// # Panics
    /// When the connection breaks.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                let text = String::from_utf8(block).expect("UTF-8");
                if let Some(event) = SseEvent::parse(&text) {
                    return Some(event);
                }
                continue; // A comment, to keep the connection open.
            }
            self.read.extend(self.bytes.next().await?.expect("the stream goes on"));
        }
    }
}

impl SseEvent {
    fn parse(block: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            lines.next().map(|value| value.trim_start().to_owned())
        };
        let (kind, data) = (field("event")?, field("data")?);
        Some(Self { id: field("id").unwrap_or_default(), kind, data })
    }
}
