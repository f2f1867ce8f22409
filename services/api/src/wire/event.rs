use super::texts;
use crate::errors::Fault;
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId, EventId};
use names::{Scope, Scopes};
use ports::RecordedEvent;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
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

/// A stream of server-sent events; `document::streams` says of what.
pub(crate) struct EventStream;

impl PartialSchema for EventStream {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}

impl ToSchema for EventStream {}

/// How much of the addresses of webhooks is shown: many are all that it takes to write to where they lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// All of it.
    Whole,
    /// Where it leads, and no more.
    HostOnly,
}

impl Addresses {
    /// As somebody may see them.
    pub(crate) fn seen_with(scopes: Scopes) -> Self {
        if scopes.allow(Scope::WebhooksManage) { Self::Whole } else { Self::HostOnly }
    }

    /// Whether an event of this type has one.
    pub(crate) fn are_in(kind: &str) -> bool {
        matches!(kind, "webhook_endpoint_created" | "webhook_endpoint_updated")
    }

    fn data(self, event: &RecordedEvent) -> Result<String, serde_json::Error> {
        if self == Self::Whole || !Self::are_in(&event.kind) {
            return Ok(event.payload.as_ref().to_owned());
        }
        let mut data: Value = serde_json::from_str(&event.payload)?;
        if let Some(Value::String(url)) = data.get_mut("url") {
            *url = host_only(url);
        }
        serde_json::to_string(&data)
    }
}

/// The beginning of an address.
fn host_only(url: &str) -> String {
    let (scheme, rest) = url.split_once(':').unwrap_or(("https", url));
    let host = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}/…")
}

impl EventView {
    /// As somebody sees it.
    pub(crate) fn of(event: RecordedEvent, addresses: Addresses) -> Result<Self, Fault> {
        let data = addresses.data(&event).and_then(RawValue::from_string).map_err(Fault::internal)?;
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
            data,
        })
    }
}

impl EventList {
    /// A page as somebody sees it, and where reading came to.
    pub(crate) fn of(page: Vec<RecordedEvent>, upto: u64, addresses: Addresses) -> Result<Self, Fault> {
        let next = page.last().map_or(upto, |event| event.position.0.max(upto));
        let events = page.into_iter().map(|event| EventView::of(event, addresses));
        Ok(Self { events: events.collect::<Result<_, _>>()?, next })
    }
}
