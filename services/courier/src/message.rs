//! What is sent of an event.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{BuildId, endpoint::PayloadKind};
use ports::RecordedEvent;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    id: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_id: Option<BuildId>,
    timestamp: DateTime<Utc>,
    sequence: u64,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// The body of a message about an event. It is the same in every attempt.
pub(crate) fn body(
    event: &RecordedEvent,
    id: &str,
    payload: PayloadKind,
) -> Result<Bytes, serde_json::Error> {
    let data = match payload {
        PayloadKind::Full => Some(serde_json::from_str(&event.payload)?),
        PayloadKind::Thin => None,
    };
    let message = Message {
        id,
        r#type: &event.kind,
        build_id: event.stream.build(),
        timestamp: event.recorded_at,
        sequence: event.position.0,
        version: event.version.0,
        data,
    };
    serde_json::to_vec(&message).map(Bytes::from)
}

/// The body of a message that only asks whether anybody is there.
pub(crate) fn ping(id: &str, at: DateTime<Utc>) -> Result<Bytes, serde_json::Error> {
    let ping = serde_json::json!({ "id": id, "type": "ping", "timestamp": at, "data": {} });
    serde_json::to_vec(&ping).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ports::{Metadata, Position, StreamId, Version};
    use ulid::Ulid;

    #[test]
    fn a_message_holds_the_event_and_a_thin_one_only_where_to_find_it() {
        let event = RecordedEvent {
            position: Position(7),
            stream: StreamId::Build(BuildId::new(Ulid(1))),
            version: Version(3),
            kind: "task_completed".into(),
            schema_version: 1,
            payload: r#"{"task":1,"x":1.50}"#.into(),
            metadata: Metadata::default(),
            recorded_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        };
        let text = |payload| String::from_utf8(body(&event, "evt_a_3", payload).unwrap().to_vec()).unwrap();
        let thin = concat!(
            r#"{"id":"evt_a_3","type":"task_completed","buildId":"bld_00000000000000000000000001","#,
            r#""timestamp":"2026-03-01T12:00:00Z","sequence":7,"version":3"#
        );
        assert_eq!(text(PayloadKind::Thin), format!("{thin}}}"));
        assert_eq!(text(PayloadKind::Full), format!(r#"{thin},"data":{{"task":1,"x":1.50}}}}"#));
    }
}
