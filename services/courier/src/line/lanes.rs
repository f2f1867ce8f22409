//! Builds whose events are delivered one after another.

use super::Item;
use chrono::{DateTime, Utc};
use domain::BuildId;
use ports::Position;
use std::collections::{HashMap, VecDeque};

/// The lanes in which there is anything.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: HashMap<BuildId, Lane>,
    /// Lanes of which the first may be sent.
    turns: VecDeque<BuildId>,
    questions: Vec<BuildId>,
    queued: usize,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Item>,
    busy: bool,
    store: Store,
}

/// What the store has of a lane beside what is in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Store {
    /// Nothing.
    #[default]
    Nothing,
    /// Rows that come before whatever is new.
    Rows,
    /// Rows that are about to be read.
    Asked,
}

/// How an attempt left its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The next may go.
    Done,
    /// It will be tried again, and the lane waits.
    Waiting,
}

impl Lanes {
    /// Lanes with rows in the store, and when the first of each is attempted. Where that is not known, they are read.
    pub(crate) fn waiting(builds: Vec<(BuildId, Option<DateTime<Utc>>)>) -> Self {
        let mut this = Self::default();
        for (build, at) in builds {
            let store = if at.is_some() { Store::Rows } else { Store::Asked };
            this.lanes.insert(build, Lane { store, ..Lane::default() });
            if at.is_none() {
                this.questions.push(build);
            }
        }
        this
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    pub(crate) fn has_turn(&self) -> bool {
        !self.turns.is_empty()
    }

    pub(crate) fn has_questions(&self) -> bool {
        !self.questions.is_empty()
    }

    pub(crate) fn take_questions(&mut self) -> Vec<BuildId> {
        std::mem::take(&mut self.questions)
    }

    /// A new event at the end of its lane. It comes back if its place is behind rows of the store.
    pub(crate) fn join(&mut self, build: BuildId, item: Item) -> Option<Item> {
        let lane = self.lanes.entry(build).or_default();
        if lane.store == Store::Rows {
            return Some(item);
        }
        lane.queue.push_back(item);
        self.queued += 1;
        self.offer(build);
        None
    }

    /// Gives a lane its turn if it has just got something to send.
    fn offer(&mut self, build: BuildId) {
        let Some(lane) = self.lanes.get(&build) else { return };
        let ready = !lane.busy && lane.store != Store::Asked && lane.queue.len() == 1;
        if ready {
            self.turns.push_back(build);
        }
    }

    /// The first of the lane whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Item> {
        let build = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&build)?;
        let item = lane.queue.pop_front()?;
        lane.busy = true;
        self.queued -= 1;
        Some(item)
    }

    /// What was sent of a lane has left it. Returns what has to wait in the store now.
    pub(crate) fn left(&mut self, build: BuildId, how: Left) -> Vec<Item> {
        let Some(lane) = self.lanes.get_mut(&build) else { return Vec::new() };
        lane.busy = false;
        match (how, lane.queue.is_empty(), lane.store) {
            (Left::Waiting, _, _) => {
                lane.store = Store::Rows;
                let behind: Vec<Item> = lane.queue.drain(..).collect();
                self.queued -= behind.len();
                return behind;
            }
            (Left::Done, false, _) => self.turns.push_back(build),
            (Left::Done, true, Store::Nothing) => drop(self.lanes.remove(&build)),
            (Left::Done, true, _) => {
                lane.store = Store::Asked;
                self.questions.push(build);
            }
        }
        Vec::new()
    }

    /// The time of a row has come. Says whether it is taken; if not, it is found again when its lane is read.
    pub(crate) fn due(&mut self, build: BuildId, item: Item) -> bool {
        let lane = self.lanes.entry(build).or_default();
        if lane.store == Store::Asked {
            return false;
        }
        lane.store = Store::Rows;
        if lane.busy || !lane.queue.is_empty() {
            return false;
        }
        lane.queue.push_back(item);
        self.queued += 1;
        self.turns.push_back(build);
        true
    }

    /// The rows of a lane that was asked for; `more` if there are others behind them. Returns which were taken, and
    /// what has to wait in the store.
    pub(crate) fn answered(
        &mut self,
        build: BuildId,
        rows: VecDeque<Item>,
        more: bool,
        now: DateTime<Utc>,
    ) -> (Vec<Position>, Vec<Item>) {
        let Some(lane) = self.lanes.get_mut(&build) else { return (Vec::new(), Vec::new()) };
        let fresh = std::mem::take(&mut lane.queue);
        self.queued -= fresh.len();
        let must_wait = rows.front().and_then(|first| first.delivery.next_at).is_some_and(|at| at > now);
        if must_wait {
            lane.store = Store::Rows;
            return (Vec::new(), fresh.into());
        }
        let taken = rows.iter().map(|item| item.delivery.id.position).collect();
        lane.queue = rows;
        let behind = if more {
            lane.store = Store::Rows;
            fresh.into()
        } else {
            lane.store = Store::Nothing;
            lane.queue.extend(fresh);
            Vec::new()
        };
        self.queued += lane.queue.len();
        if lane.queue.is_empty() {
            self.lanes.remove(&build);
        } else {
            self.turns.push_back(build);
        }
        (taken, behind)
    }
}
