//! Lines of output that were read lately, kept for all who follow the same work: a new line is asked for once.

use super::Message;
use crate::errors::Fault;
use domain::{BuildId, build::Work};
use ports::OutputLog;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::watch;

/// Lines that are read at once. A line can be long.
const PAGE: usize = 50;
/// Most bytes of lines that are kept of one work.
const MOST_BYTES: usize = 1 << 20;

/// A line and its number.
pub(super) type Line = (u64, Arc<Message>);

/// The works that are followed.
pub(super) struct Lines {
    output: Arc<dyn OutputLog>,
    works: Mutex<HashMap<(BuildId, Work), Weak<Written>>>,
}

/// What a work writes.
pub(super) struct Written {
    output: Arc<dyn OutputLog>,
    work: (BuildId, Work),
    last: watch::Receiver<u64>,
    recent: tokio::sync::Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Lines {
    pub(super) fn new(output: Arc<dyn OutputLog>) -> Self {
        Self { output, works: Mutex::default() }
    }

    /// What a work writes, for as long as somebody holds it.
    pub(super) fn of(&self, build: BuildId, work: Work) -> Arc<Written> {
        let mut works = self.works.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(written) = works.get(&(build, work)).and_then(Weak::upgrade) {
            return written;
        }
        works.retain(|_, written| written.strong_count() > 0);
        let last = self.output.follow(build, work);
        let written = Arc::new(Written {
            output: Arc::clone(&self.output),
            work: (build, work),
            last,
            recent: tokio::sync::Mutex::default(),
        });
        works.insert((build, work), Arc::downgrade(&written));
        written
    }
}

impl Written {
    /// The number of the last line, as it changes.
    pub(super) fn last(&self) -> watch::Receiver<u64> {
        self.last.clone()
    }

    /// Some lines after a place; none if there are no more.
    pub(super) async fn read(&self, after: u64) -> Result<Vec<Line>, Fault> {
        // Who waits for another's question is answered by it, too.
        let mut recent = self.recent.lock().await;
        let known = recent.after(after);
        if !known.is_empty() {
            return Ok(known);
        }
        if recent.begins_after(after) {
            drop(recent);
            return self.ask(after).await;
        }
        let lines = self.ask(after).await?;
        recent.add(&lines);
        Ok(lines)
    }

    async fn ask(&self, after: u64) -> Result<Vec<Line>, Fault> {
        let (build, work) = self.work;
        let page = self.output.read(build, work, after, PAGE).await?;
        page.into_iter().map(|line| Ok((line.seq, Arc::new(Message::line(line)?)))).collect()
    }
}

impl Recent {
    /// Whether what is wanted was let go of already.
    fn begins_after(&self, after: u64) -> bool {
        self.lines.front().is_some_and(|(first, _)| after + 1 < *first)
    }

    fn after(&self, after: u64) -> Vec<Line> {
        if self.begins_after(after) {
            return Vec::new();
        }
        let skip = self.lines.partition_point(|(seq, _)| *seq <= after);
        self.lines.range(skip..).take(PAGE).cloned().collect()
    }

    fn add(&mut self, lines: &[Line]) {
        let last = self.lines.back().map(|(seq, _)| *seq);
        if let (Some(last), Some((first, _))) = (last, lines.first())
            && *first != last + 1
        {
            *self = Self::default();
        }
        for line in lines {
            self.bytes += line.1.weight();
            self.lines.push_back(line.clone());
        }
        while self.bytes > MOST_BYTES {
            let Some((_, oldest)) = self.lines.pop_front() else { break };
            self.bytes -= oldest.weight();
        }
    }
}
