use names::TenantName;
use ports::{Position, RecordedEvent, TenantPage};
use std::collections::VecDeque;

/// A piece of the log near its end, without gaps, for readers that follow it.
///
/// Other processes append too, so nothing here tells where the log ends.
#[derive(Debug)]
pub(crate) struct Tail {
    events: VecDeque<RecordedEvent>,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
}

impl Tail {
    pub(crate) fn new(most_events: usize, most_bytes: usize) -> Self {
        Self { events: VecDeque::new(), bytes: 0, most_events, most_bytes }
    }

    /// Adds what this process stored. If other processes' events come between, the piece begins anew.
    pub(crate) fn stored(&mut self, event: RecordedEvent) {
        match self.last() {
            Some(last) if event.position.0 <= last => return,
            Some(last) if event.position.0 > last + 1 => self.clear(),
            _ => {}
        }
        self.push(event);
    }

    /// Adds what somebody read, so far as it goes on from what is here.
    pub(crate) fn read(&mut self, events: &[RecordedEvent]) {
        for event in events {
            if self.last().is_none_or(|last| event.position.0 == last + 1) {
                self.push(event.clone());
            }
        }
    }

    /// The events after a position; `None` if they are not all here, as far as `head` tells, or there are none:
    /// then there may be some that nobody told of yet.
    pub(crate) fn after(&self, after: Position, limit: usize, head: Position) -> Option<Vec<RecordedEvent>> {
        let before_first = self.events.front()?.position.0.saturating_sub(1);
        let skip = usize::try_from(after.0.checked_sub(before_first)?).ok()?;
        let here = self.events.len().saturating_sub(skip);
        let enough = here >= limit || self.last()? >= head.0;
        (here > 0 && enough).then(|| self.events.range(skip..).take(limit).cloned().collect())
    }

    /// Like [`Tail::after`], of one tenant.
    pub(crate) fn of_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
        head: Position,
    ) -> Option<TenantPage> {
        let before_first = self.events.front()?.position.0.saturating_sub(1);
        let skip = usize::try_from(after.0.checked_sub(before_first)?).ok()?;
        let last = self.events.back()?.position;
        if skip >= self.events.len() || last < head {
            return None;
        }
        let its_own = self.events.range(skip..).filter(|event| event.metadata.tenant == *tenant);
        let events: Vec<_> = its_own.take(limit).cloned().collect();
        let upto = events.last().filter(|_| events.len() == limit).map_or(last, |event| event.position);
        Some(TenantPage { events, upto })
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
    }

    fn last(&self) -> Option<u64> {
        self.events.back().map(|event| event.position.0)
    }

    fn push(&mut self, event: RecordedEvent) {
        self.bytes += weight(&event);
        self.events.push_back(event);
        while self.events.len() > self.most_events || self.bytes > self.most_bytes {
            let Some(event) = self.events.pop_front() else { break };
            self.bytes -= weight(&event);
        }
    }
}

fn weight(event: &RecordedEvent) -> usize {
    event.payload.len() + event.kind.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::stores::sample;

    fn event(position: u64) -> RecordedEvent {
        RecordedEvent {
            position: Position(position),
            stream: sample::stream(1),
            version: ports::Version(position),
            kind: "".into(),
            schema_version: 1,
            payload: "0123456789".into(),
            metadata: ports::Metadata::default(),
            recorded_at: sample::noon(),
        }
    }

    fn events(positions: impl IntoIterator<Item = u64>) -> Vec<RecordedEvent> {
        positions.into_iter().map(event).collect()
    }

    fn positions(tail: &Tail, after: u64, limit: usize) -> Option<Vec<u64>> {
        let events = tail.after(Position(after), limit, Position(0))?;
        Some(events.iter().map(|event| event.position.0).collect())
    }

    #[test]
    fn it_answers_what_it_has_and_never_that_there_is_nothing() {
        let mut tail = Tail::new(3, 1000);
        assert_eq!(positions(&tail, 0, 9), None);
        events(5..=9).into_iter().for_each(|event| tail.stored(event));
        assert_eq!(positions(&tail, 5, 9), None);
        assert_eq!(positions(&tail, 6, 9), Some(vec![7, 8, 9]));
        assert_eq!(positions(&tail, 7, 1), Some(vec![8]));
        assert_eq!(positions(&tail, 9, 9), None);
        assert_eq!(positions(&tail, 12, 9), None);
    }

    #[test]
    fn it_gives_a_short_page_only_of_the_end_of_the_log() {
        let mut tail = Tail::new(100, 10_000);
        tail.read(&events(1..=5));
        let page = |limit, head| tail.after(Position(2), limit, Position(head)).map(|events| events.len());
        assert_eq!(page(3, 9), Some(3));
        assert_eq!(page(4, 9), None);
        assert_eq!(page(4, 5), Some(3));
    }

    #[test]
    fn it_never_has_a_gap() {
        let mut tail = Tail::new(100, 10_000);
        tail.read(&events(1..=3));
        tail.read(&events([3, 4, 6, 7]));
        assert_eq!(positions(&tail, 0, 9), Some(vec![1, 2, 3, 4]));
        tail.stored(event(4));
        tail.stored(event(5));
        tail.stored(event(9));
        assert_eq!(positions(&tail, 4, 9), None);
        assert_eq!(positions(&tail, 8, 9), Some(vec![9]));
        tail.read(&events(8..=10));
        assert_eq!(positions(&tail, 8, 9), Some(vec![9, 10]));
    }

    #[test]
    fn large_events_leave_sooner() {
        let mut tail = Tail::new(100, 25);
        tail.read(&events(1..=9));
        assert_eq!(positions(&tail, 7, 9), Some(vec![8, 9]));
        assert_eq!(positions(&tail, 6, 9), None);
    }
}
