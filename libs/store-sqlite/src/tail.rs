use names::TenantName;
use ports::{Position, RecordedEvent, TenantPage};
use std::collections::VecDeque;

/// The end of the log, for readers that follow it.
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

    /// Adds what was committed; the first event follows the last one here.
    pub(crate) fn push(&mut self, events: Vec<RecordedEvent>) {
        self.bytes += events.iter().map(weight).sum::<usize>();
        self.events.extend(events);
        while self.events.len() > self.most_events || self.bytes > self.most_bytes {
            let Some(event) = self.events.pop_front() else { break };
            self.bytes -= weight(&event);
        }
    }

    /// The events after a position, or `None` if the first of them is not here.
    pub(crate) fn after(&self, after: Position, limit: usize) -> Option<Vec<RecordedEvent>> {
        let before_first = self.events.front()?.position.0.saturating_sub(1);
        let skip = usize::try_from(after.0.checked_sub(before_first)?).ok()?;
        Some(self.events.range(skip.min(self.events.len())..).take(limit).cloned().collect())
    }

    /// The events of a tenant after a position, or `None` if it is not here.
    pub(crate) fn of_tenant(&self, tenant: &TenantName, after: Position, limit: usize) -> Option<TenantPage> {
        let before_first = self.events.front()?.position.0.saturating_sub(1);
        let skip = usize::try_from(after.0.checked_sub(before_first)?).ok()?;
        let rest = self.events.range(skip.min(self.events.len())..);
        let events: Vec<_> =
            rest.filter(|event| event.metadata.tenant == *tenant).take(limit).cloned().collect();
        let full = events.len() == limit;
        let last = if full { events.last() } else { self.events.back() };
        Some(TenantPage { upto: last.map_or(after, |event| event.position.max(after)), events })
    }

    /// Forgets everything: what follows may not follow what is here.
    pub(crate) fn clear(&mut self) {
        self.events.clear();
        self.bytes = 0;
    }
}

fn weight(event: &RecordedEvent) -> usize {
    event.payload.len() + event.kind.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BuildId;
    use ports::{Metadata, StreamId, Version};

    fn event(position: u64) -> RecordedEvent {
        RecordedEvent {
            position: Position(position),
            stream: StreamId::Build(BuildId::new(ulid::Ulid(1))),
            version: Version(position),
            kind: "".into(),
            schema_version: 1,
            payload: "0123456789".into(),
            metadata: Metadata::default(),
            recorded_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn positions(tail: &Tail, after: u64, limit: usize) -> Option<Vec<u64>> {
        let events = tail.after(Position(after), limit)?;
        Some(events.iter().map(|event| event.position.0).collect())
    }

    #[test]
    fn it_answers_what_it_covers_and_nothing_else() {
        let mut tail = Tail::new(3, 1000);
        assert_eq!(positions(&tail, 0, 9), None);
        tail.push((5..=9).map(event).collect());
        assert_eq!(positions(&tail, 5, 9), None);
        assert_eq!(positions(&tail, 6, 9), Some(vec![7, 8, 9]));
        assert_eq!(positions(&tail, 7, 1), Some(vec![8]));
        assert_eq!(positions(&tail, 9, 9), Some(vec![]));
        assert_eq!(positions(&tail, 12, 9), Some(vec![]));
    }

    #[test]
    fn large_events_leave_sooner() {
        let mut tail = Tail::new(100, 25);
        tail.push((1..=9).map(event).collect());
        assert_eq!(positions(&tail, 7, 9), Some(vec![8, 9]));
        assert_eq!(positions(&tail, 6, 9), None);
    }
}
