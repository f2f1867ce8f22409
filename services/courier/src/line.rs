//! The deliveries of one endpoint: what is sent next, what has to be kept, what has to be read. Pure: events, results
//! and the time come in, and what to do comes out.
//!
//! Memory holds what is being sent and a window of what comes next. Whatever has to wait for a time, or for an
//! earlier event of its build that waits for one, is in the store only. So an endpoint that fails for days costs rows,
//! not memory.

mod lanes;
#[cfg(test)]
mod tests;

use crate::{
    bucket::Bucket,
    verdict::{Attempted, judge},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{BuildId, endpoint::DeliveryOrder};
use lanes::{Lanes, Left};
use ports::{
    DeliveriesKnown, Delivery, DeliveryAttempt, DeliveryBatch, DeliveryProgress, Position, RecordedEvent,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    time::Duration,
};
use webhooks::{Reply, Schedule};

/// After so many failures in a row an endpoint is sent one thing at a time.
const UNWELL: u32 = 3;

/// Something to be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) delivery: Delivery,
    /// The event, unless it has to be read again.
    pub(crate) event: Option<RecordedEvent>,
    /// Whether it has a row already.
    pub(crate) kept: bool,
}

/// How an endpoint is delivered to.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) order: DeliveryOrder,
    pub(crate) concurrency: usize,
    pub(crate) rate_per_second: Option<u32>,
    pub(crate) schedule: Schedule,
    /// Longest time that everything waits because the endpoint asked for it.
    pub(crate) longest_pause: Duration,
    /// How long everything may fail before the endpoint is disabled.
    pub(crate) patience: Duration,
    /// Most events that wait in memory.
    pub(crate) window: usize,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send this.
    Send(Box<Item>),
    /// Ask again then.
    Later(DateTime<Utc>),
    /// Something has to happen first.
    Nothing,
}

/// What an endpoint is no more worth delivering to for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hopeless {
    /// It said that there is nobody.
    Gone,
    /// Nothing could be delivered since then.
    Failing(DateTime<Utc>),
}

/// The deliveries of one endpoint.
#[derive(Debug)]
pub(crate) struct Line {
    terms: Terms,
    bucket: Bucket,
    /// The log was read up to here.
    scanned: Position,
    /// Events after the cursor that have a row since before this line began.
    beyond: BTreeSet<Position>,
    /// Events that were taken in and have no row yet.
    without_row: BTreeSet<Position>,
    fresh: VecDeque<Item>,
    retries: VecDeque<Item>,
    lanes: Lanes,
    /// Rows that are in memory, or whose change is not stored yet: what the store says of them is old.
    ours: HashSet<Position>,
    in_flight: usize,
    records: BTreeMap<Position, Delivery>,
    attempts: Vec<DeliveryAttempt>,
    failing_since: Option<DateTime<Utc>>,
    failures_in_a_row: u32,
    paused_until: Option<DateTime<Utc>>,
    /// When the store has something to attempt.
    due_at: Option<DateTime<Utc>>,
    retry_before_fresh: bool,
}

impl Line {
    /// Goes on where an endpoint stands.
    pub(crate) fn new(terms: Terms, known: DeliveriesKnown, now: DateTime<Utc>) -> Self {
        let DeliveriesKnown { progress, beyond, waiting } = known;
        let lanes = match terms.order {
            DeliveryOrder::PerBuild => Lanes::waiting(waiting),
            DeliveryOrder::Any => Lanes::default(),
        };
        Self {
            bucket: Bucket::new(terms.rate_per_second),
            terms,
            scanned: progress.cursor,
            beyond: beyond.into_iter().collect(),
            without_row: BTreeSet::new(),
            fresh: VecDeque::new(),
            retries: VecDeque::new(),
            lanes,
            ours: HashSet::new(),
            in_flight: 0,
            records: BTreeMap::new(),
            attempts: Vec::new(),
            failing_since: progress.failing_since,
            failures_in_a_row: 0,
            paused_until: None,
            due_at: Some(now),
            retry_before_fresh: true,
        }
    }

    /// Up to where the log was read.
    pub(crate) fn scanned(&self) -> Position {
        self.scanned
    }

    /// How many more events can be taken in.
    pub(crate) fn room(&self) -> usize {
        self.terms.window.saturating_sub(self.fresh.len() + self.lanes.queued())
    }

    /// The log was read up to here, and what is for this endpoint was taken in.
    pub(crate) fn read_up_to(&mut self, position: Position) {
        self.scanned = self.scanned.max(position);
        self.beyond = self.beyond.split_off(&Position(position.0.saturating_add(1)));
    }

    /// Takes in an event of the log, in order.
    pub(crate) fn take_in(&mut self, item: Item) {
        let position = item.delivery.id.position;
        if position <= self.scanned || self.beyond.contains(&position) {
            return;
        }
        self.without_row.insert(position);
        match (self.terms.order, item.delivery.build) {
            (DeliveryOrder::PerBuild, Some(build)) => {
                if let Some(behind) = self.lanes.join(build, item) {
                    self.put_behind(behind);
                }
            }
            _ => self.fresh.push_back(item),
        }
    }

    /// It waits for an earlier event of its build, in the store.
    fn put_behind(&mut self, item: Item) {
        let position = item.delivery.id.position;
        if item.kept {
            self.ours.remove(&position);
        } else {
            self.record(item.delivery);
        }
    }

    /// What to do next.
    pub(crate) fn next(&mut self, now: DateTime<Utc>) -> Next {
        let most = if self.failures_in_a_row >= UNWELL { 1 } else { self.terms.concurrency.max(1) };
        if self.in_flight >= most || !self.has_something() {
            return Next::Nothing;
        }
        // If the clock was set back, it ends nevertheless.
        self.paused_until = self.paused_until.map(|until| until.min(self.latest_pause(now)));
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Next::Later(until);
        }
        if let Err(at) = self.bucket.take(now) {
            return Next::Later(at);
        }
        let Some(item) = self.pick() else { return Next::Nothing };
        self.in_flight += 1;
        Next::Send(Box::new(item))
    }

    /// When a pause that begins now is over at the latest.
    fn latest_pause(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let longest = TimeDelta::from_std(self.terms.longest_pause).unwrap_or(TimeDelta::MAX);
        now.checked_add_signed(longest).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether something is there to be sent.
    pub(crate) fn has_something(&self) -> bool {
        !self.fresh.is_empty() || !self.retries.is_empty() || self.lanes.has_turn()
    }

    /// Neither what is tried again nor what is new keeps the other waiting.
    fn pick(&mut self) -> Option<Item> {
        self.retry_before_fresh = !self.retry_before_fresh;
        if self.retry_before_fresh {
            let first = self.retries.pop_front();
            return first.or_else(|| self.fresh.pop_front()).or_else(|| self.lanes.next());
        }
        let first = self.lanes.next();
        first.or_else(|| self.fresh.pop_front()).or_else(|| self.retries.pop_front())
    }

    /// Whether nothing is here to be sent or stored, and nothing in the store waits for its time.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.unstored() == 0 && !self.has_something() && self.due_at.is_none()
    }

    /// How many are being sent.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// An attempt has ended. Says if the endpoint should be disabled.
    pub(crate) fn ended(&mut self, item: Item, attempt: Attempted, now: DateTime<Utc>) -> Option<Hopeless> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let reply = attempt.reply();
        let hopeless = self.note(reply, &attempt, now);
        let delivery = judge(item.delivery, &attempt, &self.terms.schedule, now);
        self.attempts.push(attempt.kept(&delivery));
        if let (DeliveryOrder::PerBuild, Some(build)) = (self.terms.order, delivery.build) {
            let left = if delivery.ended_at.is_some() { Left::Done } else { Left::Waiting };
            for behind in self.lanes.left(build, left) {
                self.put_behind(behind);
            }
        }
        self.record(delivery);
        hopeless
    }

    /// How the endpoint is doing.
    fn note(&mut self, reply: Reply, attempt: &Attempted, now: DateTime<Utc>) -> Option<Hopeless> {
        if reply == Reply::Delivered {
            (self.failing_since, self.failures_in_a_row) = (None, 0);
            return None;
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if reply == Reply::Throttled {
            let pause = attempt.retry_after.unwrap_or_default().min(self.terms.longest_pause);
            let until = now + TimeDelta::from_std(pause).unwrap_or_default();
            self.paused_until = self.paused_until.max(Some(until));
        }
        let since = *self.failing_since.get_or_insert(now);
        let too_long = (now - since).to_std().is_ok_and(|failing| failing >= self.terms.patience);
        match reply {
            Reply::Gone => Some(Hopeless::Gone),
            _ => (too_long && self.failures_in_a_row > 1).then_some(Hopeless::Failing(since)),
        }
    }

    fn record(&mut self, delivery: Delivery) {
        let position = delivery.id.position;
        self.without_row.remove(&position);
        self.ours.insert(position);
        self.records.insert(position, delivery);
    }

    /// How many results are not stored yet.
    pub(crate) fn unstored(&self) -> usize {
        self.records.len().max(self.attempts.len())
    }

    /// How far everything is done.
    pub(crate) fn progress(&self) -> DeliveryProgress {
        let before = |first: &Position| Position(first.0.saturating_sub(1));
        let cursor = self.without_row.first().map_or(self.scanned, before);
        DeliveryProgress { cursor, failing_since: self.failing_since }
    }

    /// What has to be stored. [`Line::stored`] must follow.
    pub(crate) fn batch(&mut self) -> DeliveryBatch {
        DeliveryBatch {
            progress: self.progress(),
            deliveries: std::mem::take(&mut self.records).into_values().collect(),
            attempts: std::mem::take(&mut self.attempts),
        }
    }

    /// Results are stored: from now on the store knows better.
    pub(crate) fn stored(&mut self, batch: &DeliveryBatch) {
        for delivery in &batch.deliveries {
            if !self.records.contains_key(&delivery.id.position) {
                self.ours.remove(&delivery.id.position);
            }
            if let Some(at) = delivery.next_at {
                self.due_at = Some(self.due_at.map_or(at, |known| known.min(at)));
            }
        }
    }

    /// Something in the store may have to be attempted sooner than was known.
    pub(crate) fn nudge(&mut self, now: DateTime<Utc>) {
        self.due_at = Some(now);
    }

    /// When the store should be asked what to attempt, if ever.
    pub(crate) fn ask_at(&self) -> Option<DateTime<Utc>> {
        let few = self.retries.len() <= self.terms.concurrency && self.lanes.queued() < self.terms.window;
        self.due_at.filter(|_| few)
    }

    /// How many deliveries to ask for: of those that are ours, nothing is learned.
    pub(crate) fn ask_for(&self) -> usize {
        self.terms.window + self.ours.len()
    }

    /// What the store said: `asked` of these, or all there are.
    pub(crate) fn due(&mut self, deliveries: Vec<Delivery>, asked: usize, now: DateTime<Utc>) {
        let (whole, before) = (deliveries.len() >= asked, self.ours.len());
        self.due_at = None;
        for delivery in deliveries {
            let Some(at) = delivery.next_at else { continue };
            if at > now {
                self.due_at = Some(at);
                return;
            }
            let position = delivery.id.position;
            if self.ours.contains(&position) {
                continue;
            }
            let item = Item { delivery, event: None, kept: true };
            match (self.terms.order, item.delivery.build) {
                (DeliveryOrder::PerBuild, Some(build)) => {
                    if self.lanes.due(build, item) {
                        self.ours.insert(position);
                    }
                }
                _ => {
                    self.ours.insert(position);
                    self.retries.push_back(item);
                }
            }
        }
        if whole {
            // Where all of these wait for others, asking at once would say the same.
            let pause =
                if self.ours.len() > before { TimeDelta::zero() } else { TimeDelta::milliseconds(200) };
            self.due_at = Some(now + pause);
        }
    }

    /// Whether rows of builds have to be read.
    pub(crate) fn has_questions(&self) -> bool {
        self.lanes.has_questions()
    }

    /// Whether something waits that was not sent yet.
    pub(crate) fn is_behind(&self) -> bool {
        !self.without_row.is_empty()
    }

    /// Builds whose rows have to be read after the next time that results are stored.
    pub(crate) fn take_questions(&mut self) -> Vec<BuildId> {
        self.lanes.take_questions()
    }

    /// The first rows of a build that wait, at most `asked`.
    pub(crate) fn answered(&mut self, build: BuildId, rows: Vec<Delivery>, asked: usize, now: DateTime<Utc>) {
        let more = rows.len() >= asked;
        let items = rows.into_iter().map(|delivery| Item { delivery, event: None, kept: true });
        let (taken, behind) = self.lanes.answered(build, items.collect(), more, now);
        self.ours.extend(taken);
        for item in behind {
            self.put_behind(item);
        }
    }
}
