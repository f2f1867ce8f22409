//! What followers are sent, in the form of either transport.

use crate::{
    errors::Fault,
    wire::{Addresses, EventView, OutputLine},
};
use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use ports::RecordedEvent;
use serde::Serialize;
use serde_json::json;
use std::sync::{Arc, OnceLock};

/// Something that is sent. Each form is made once, however many take it.
#[derive(Debug)]
pub(crate) struct Message {
    /// Where to go on after it; the end of a stream has none.
    id: Option<u64>,
    name: Arc<str>,
    /// JSON on one line.
    data: String,
    event: OnceLock<Bytes>,
    frame: OnceLock<Utf8Bytes>,
}

/// Why a stream is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndReason {
    /// What is followed has ended: nothing will come any more.
    Ended,
    /// The client asked not to wait.
    Head,
    /// The key that opened it was revoked.
    KeyRevoked,
    /// The key's time is over.
    KeyExpired,
}

impl Message {
    /// An event as somebody sees it. Its id is its position.
    pub(crate) fn event(event: RecordedEvent, addresses: Addresses) -> Result<Self, Fault> {
        let (id, name) = (event.position.0, Arc::clone(&event.kind));
        Self::of(Some(id), name, &EventView::of(event, addresses)?)
    }

    /// A line of output. Its id is its number.
    pub(crate) fn line(line: ports::OutputLine) -> Result<Self, Fault> {
        Self::of(Some(line.seq), "line".into(), &OutputLine::from(line))
    }

    /// The last one, by which a client knows that it need not come back.
    pub(crate) fn end(reason: EndReason) -> Result<Self, Fault> {
        Self::of(None, "end".into(), &json!({ "reason": reason }))
    }

    fn of(id: Option<u64>, name: Arc<str>, data: &impl Serialize) -> Result<Self, Fault> {
        let mut data = serde_json::to_string(data).map_err(Fault::internal)?;
        // Inside of a text they are escaped; between what is stored as JSON they mean nothing.
        data.retain(|c| !matches!(c, '\n' | '\r'));
        Ok(Self { id, name, data, event: OnceLock::new(), frame: OnceLock::new() })
    }

    /// About how many bytes it takes, all forms together.
    pub(crate) fn weight(&self) -> usize {
        3 * self.data.len() + 512
    }

    /// As a server-sent event.
    pub(crate) fn as_event(&self) -> Bytes {
        let write = || {
            let id = self.id.map_or_else(String::new, |id| format!("id: {id}\n"));
            Bytes::from(format!("{id}event: {}\ndata: {}\n\n", self.name, self.data))
        };
        self.event.get_or_init(write).clone()
    }

    /// As the text of a WebSocket.
    pub(crate) fn as_frame(&self) -> Utf8Bytes {
        let write = || {
            let id = self.id.map_or_else(String::new, |id| format!(r#""id":"{id}","#));
            // Names are of letters and underscores.
            Utf8Bytes::from(format!(r#"{{{id}"event":"{}","data":{}}}"#, self.name, self.data))
        };
        self.frame.get_or_init(write).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn either_form_tells_the_same() {
        let message = Message::of(Some(7), "a_name".into(), &json!({ "text": "two\nlines" })).unwrap();
        let event = "id: 7\nevent: a_name\ndata: {\"text\":\"two\\nlines\"}\n\n";
        assert_eq!(message.as_event(), event.as_bytes());
        let frame: Value = serde_json::from_str(&message.as_frame()).unwrap();
        assert_eq!(frame, json!({ "id": "7", "event": "a_name", "data": { "text": "two\nlines" } }));

        let end = Message::end(EndReason::KeyRevoked).unwrap();
        assert_eq!(end.as_event(), "event: end\ndata: {\"reason\":\"key_revoked\"}\n\n".as_bytes());
        assert_eq!(end.as_frame().as_str(), r#"{"event":"end","data":{"reason":"key_revoked"}}"#);
    }
}
