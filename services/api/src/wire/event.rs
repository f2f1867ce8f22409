use super::texts;
use crate::errors::Fault;
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId, EventId};
use ports::RecordedEvent;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// Events in the order in which they were stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventList {
    /// The events.
    #[schema(max_items = 1_000)]
    pub(crate) events: Vec<EventView>,
    /// The `after` with which to go on.
    pub(crate) next: u64,
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    /// Its id.
    #[schema(value_type = texts::EventId)]
    id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(value_type = String, max_length = 64, pattern = "^[a-z_]+$", example = "task_started")]
    kind: Arc<str>,
    /// The build it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::BuildId>)]
    build_id: Option<BuildId>,
    /// The webhook endpoint it happened to, if it is not a build's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::EndpointId>)]
    endpoint_id: Option<EndpointId>,
    /// Its place among all events, those of other tenants too; the `id` of server-sent events and the meaning of
    /// `after`.
    sequence: u64,
    /// Its place among the events of its build or endpoint, without gaps.
    version: u64,
    /// The version of the schema of `data`.
    schema_version: u16,
    /// When it was stored.
    timestamp: DateTime<Utc>,
    /// Who caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 256)]
    actor: Option<Arc<str>>,
    /// The particulars, by type.
    #[schema(value_type = super::EventData)]
    data: Box<RawValue>,
}

/// Server-sent events: the `data:` of each is one of what the JSON answer has a list of; of the last, `end`, it says
/// why the stream is over.
pub(crate) struct EventStream;

impl PartialSchema for EventStream {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "Server-sent events. The `data:` of each is one of what the JSON answer has a list of; of the last, \
                 `end`, it is `{\"reason\": \"ended\"}`, or `head` with `follow=false`.",
            ))
            .into()
    }
}

impl ToSchema for EventStream {}

impl TryFrom<RecordedEvent> for EventView {
    type Error = Fault;

    fn try_from(event: RecordedEvent) -> Result<Self, Fault> {
        Ok(Self {
            id: event.stream.event(event.version),
            kind: event.kind,
            build_id: event.stream.build(),
            endpoint_id: event.stream.endpoint(),
            sequence: event.position.0,
            version: event.version.0,
            schema_version: event.schema_version,
            timestamp: event.recorded_at,
            actor: event.metadata.actor,
            data: RawValue::from_string(event.payload.as_ref().to_owned()).map_err(Fault::internal)?,
        })
    }
}

impl EventList {
    /// A page, and where reading came to.
    pub(crate) fn of(page: Vec<RecordedEvent>, upto: u64) -> Result<Self, Fault> {
        let next = page.last().map_or(upto, |event| event.position.0.max(upto));
        Ok(Self { events: page.into_iter().map(EventView::try_from).collect::<Result<_, _>>()?, next })
    }
}
