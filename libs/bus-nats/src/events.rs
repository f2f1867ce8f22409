//! Every committed event, for consumers outside: stream `EVENTS`, subject `buildwright.events.<tenant>.<type>`.
//!
//! Each message is published on condition that the one
//! before it is still the last of the stream: so the feed has every event once and in the order of positions,
//! also when several processes feed it, or one dies while it does.

use crate::{
    NatsBus,
    subjects::{ALL_EVENTS, EVENTS},
    trace,
};
use async_nats::{
    HeaderMap,
    jetstream::{context::PublishAckFuture, message::PublishMessage},
};
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId, EventId};
use ports::{EventStore, Position, RecordedEvent, StoreError};
use serde::Serialize;
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The position of the event.
const POSITION: &str = "Buildwright-Position";
/// Most events published together.
const BATCH: usize = 500;
/// How long to wait before trying again.
const AGAIN: Duration = Duration::from_millis(300);

/// Publishes committed events.
#[derive(Debug, Clone)]
pub struct EventFeed {
    bus: NatsBus,
    gather: Duration,
}

/// Where the feed stands.
#[derive(Debug, Clone, Copy)]
struct Stand {
    /// The last event that is in it, or was.
    position: Position,
    /// The number of the last message.
    sequence: u64,
}

/// An event as it is told outside.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    id: EventId,
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    build: Option<BuildId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<EndpointId>,
    version: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    schema_version: u16,
    recorded_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    data: &'a RawValue,
}

impl EventFeed {
    /// The feed of a bus.
    #[must_use]
    pub fn new(bus: &NatsBus) -> Self {
        Self { bus: bus.clone(), gather: Duration::ZERO }
    }

    /// Waits for so long after hearing of something new, so that what comes meanwhile is read and told together.
    #[must_use]
    pub fn gather_for(self, gather: Duration) -> Self {
        Self { gather, ..self }
    }

    /// Feeds until told to stop. It goes on after the last event in the stream; where the stream is empty, after
    /// `from`, or after the last that this call fed.
    pub async fn run(&self, store: Arc<dyn EventStore>, from: Position, stop: CancellationToken) {
        let mut fed = from;
        let feed = async {
            loop {
                if let Err(error) = self.feed(store.as_ref(), &mut fed).await {
                    tracing::warn!(%error, position = %fed, "events wait to be told outside");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.bus.closed.cancelled() => {}
            () = feed => {}
        }
    }

    /// Feeds until something fails, be it that another process feeds too.
    async fn feed(&self, store: &dyn EventStore, fed: &mut Position) -> Result<(), async_nats::Error> {
        self.bus.connected().await?;
        let mut head = store.head();
        let mut stand = self.stand(*fed).await?;
        loop {
            head.borrow_and_update();
            *fed = stand.position;
            let events = store.read_all(stand.position, BATCH).await?;
            if events.is_empty() {
                head.changed().await.map_err(|_| StoreError::Closed)?;
                tokio::time::sleep(self.gather).await;
                continue;
            }
            stand = self.publish(stand, &events).await?;
        }
    }

    async fn stand(&self, fed: Position) -> Result<Stand, async_nats::Error> {
        let stream = self.bus.stream(EVENTS).await?;
        if let Some(last) = self.bus.last_message(EVENTS, ALL_EVENTS).await? {
            let position = last.headers.get(POSITION).and_then(|value| value.as_str().parse().ok());
            let position = position.ok_or("the last message of EVENTS is none of ours")?;
            return Ok(Stand { position: Position(position), sequence: last.sequence });
        }
        Ok(Stand { position: fed, sequence: stream.get_info().await?.state.last_sequence })
    }

    async fn publish(&self, stand: Stand, events: &[RecordedEvent]) -> Result<Stand, async_nats::Error> {
        let mut stand = stand;
        let mut under_way: Vec<(Position, PublishAckFuture)> = Vec::with_capacity(BATCH);
        for (event, before) in events.iter().zip(stand.sequence..) {
            let subject = format!("buildwright.events.{}.{}", event.metadata.tenant, event.kind);
            let message = message(event)?.expected_last_sequence(before);
            under_way.push((event.position, self.bus.jetstream.send_publish(subject, message).await?));
        }
        for (position, stored) in under_way {
            stand = Stand { position, sequence: stored.await?.sequence };
        }
        Ok(stand)
    }
}

fn message(event: &RecordedEvent) -> Result<PublishMessage, async_nats::Error> {
    let told = Told {
        id: event.stream.event(event.version),
        position: event.position,
        build: event.stream.build(),
        endpoint: event.stream.endpoint(),
        version: event.version.0,
        kind: &event.kind,
        schema_version: event.schema_version,
        recorded_at: event.recorded_at,
        actor: event.metadata.actor.as_deref(),
        data: serde_json::from_str(&event.payload)?,
    };
    let mut headers = HeaderMap::new();
    headers.insert(POSITION, event.position.to_string());
    trace::join_stream(&mut headers, event.stream);
    let payload = serde_json::to_vec(&told)?;
    Ok(PublishMessage::build()
        .headers(headers)
        .payload(payload.into())
        .message_id(event.position.to_string()))
}
