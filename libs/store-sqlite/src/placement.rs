//! Which append of a batch goes where, and which conflicts: decided in memory, before anything is written.

use chrono::SubsecRound;
use ports::{Append, AppendError, Appended, Position, RecordedEvent, StreamId, Version};
use std::collections::HashMap;

/// The appends of one transaction, one after another.
pub(crate) struct Placement {
    /// The position of the last event.
    pub(crate) head: Position,
    /// The version of every stream that is appended to.
    pub(crate) versions: HashMap<StreamId, Version>,
    /// The new events in the order of their positions.
    pub(crate) events: Vec<RecordedEvent>,
}

impl Placement {
    /// `versions` holds the stored version of every stream that will be appended to.
    pub(crate) fn new(head: Position, versions: HashMap<StreamId, Version>) -> Self {
        Self { head, versions, events: Vec::new() }
    }

    /// Places an append behind those before it. A conflict leaves no trace.
    pub(crate) fn place(&mut self, append: Append) -> Result<Appended, AppendError> {
        let version = self.versions.entry(append.stream).or_default();
        if *version != append.expected {
            return Err(AppendError::Conflict { expected: append.expected, actual: *version });
        }
        // Microseconds are what the file keeps; a reader of the tail must see the same time.
        let recorded_at = append.recorded_at.trunc_subsecs(6);
        for event in append.events {
            self.head.0 += 1;
            version.0 += 1;
            self.events.push(RecordedEvent {
                position: self.head,
                stream: append.stream,
                version: *version,
                kind: event.kind.into(),
                schema_version: event.schema_version,
                payload: event.payload.into(),
                metadata: append.metadata.clone(),
                recorded_at,
            });
        }
        Ok(Appended { position: self.head, version: *version })
    }
}
