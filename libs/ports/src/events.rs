//! The event store: the only truth.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId, EventId, IdError, build::BuildEvent, endpoint::EndpointEvent};
use names::TenantName;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};
use tokio::sync::watch;

/// An event's place in the whole log: dense from 1, in commit order. 0 stands before the first event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event's place in its stream: dense from 1. 0 stands for a stream without events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The stream of one aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// A build's.
    Build(BuildId),
    /// A webhook endpoint's.
    Endpoint(EndpointId),
}

impl StreamId {
    /// The build whose stream this is, if it is a build's.
    #[must_use]
    pub fn build(self) -> Option<BuildId> {
        match self {
            Self::Build(id) => Some(id),
            Self::Endpoint(_) => None,
        }
    }

    /// The webhook endpoint whose stream this is, if it is an endpoint's.
    #[must_use]
    pub fn endpoint(self) -> Option<EndpointId> {
        match self {
            Self::Endpoint(id) => Some(id),
            Self::Build(_) => None,
        }
    }

    /// The id of the event that gave this stream a version.
    #[must_use]
    pub fn event(self, version: Version) -> EventId {
        match self {
            Self::Build(id) => EventId::of_build(id, version.0),
            Self::Endpoint(id) => EventId::of_endpoint(id, version.0),
        }
    }
}

impl FromStr for StreamId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.parse() {
            Ok(endpoint) => Ok(Self::Endpoint(endpoint)),
            Err(_) => text.parse().map(Self::Build),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(id) => id.fmt(f),
            Self::Endpoint(id) => id.fmt(f),
        }
    }
}

/// Who caused an event, and whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The principal of the command: the id of an API key, `local`, `driver`, an executor's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Arc<str>>,
    /// Whose build or endpoint it is of.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tenant: TenantName,
}

fn is_default(tenant: &TenantName) -> bool {
    *tenant == TenantName::default()
}

/// An event about to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Type name.
    pub kind: &'static str,
    /// Schema version of the payload.
    pub schema_version: u16,
    /// The data as JSON.
    pub payload: String,
}

impl NewEvent {
    /// Encodes a build's event.
    ///
    /// # Errors
    /// If serde cannot write it: a defect.
    pub fn build(event: &BuildEvent) -> Result<Self, serde_json::Error> {
        Ok(Self { kind: event.kind(), schema_version: event.schema_version(), payload: event.encode()? })
    }

    /// Encodes an endpoint's event.
    ///
    /// # Errors
    /// If serde cannot write it: a defect.
    pub fn endpoint(event: &EndpointEvent) -> Result<Self, serde_json::Error> {
        Ok(Self { kind: event.kind(), schema_version: event.schema_version(), payload: event.encode()? })
    }
}

/// Events of one command, or of several commands on one stream: stored all or none.
#[derive(Debug, Clone)]
pub struct Append {
    /// Where to.
    pub stream: StreamId,
    /// The version the stream must have.
    pub expected: Version,
    /// The events, at least one.
    pub events: Vec<NewEvent>,
    /// Who caused them.
    pub metadata: Metadata,
    /// When they are stored, as far as the store's caller knows.
    pub recorded_at: DateTime<Utc>,
}

/// Where an append went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of its last event.
    pub position: Position,
    /// The stream's version after it.
    pub version: Version,
}

/// A stored event.
#[derive(Debug, Clone)]
pub struct RecordedEvent {
    /// Its place in the whole log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub version: Version,
    /// Type name.
    pub kind: Arc<str>,
    /// Schema version of the payload.
    pub schema_version: u16,
    /// The data as JSON.
    pub payload: Arc<str>,
    /// Who caused it.
    pub metadata: Metadata,
    /// When it was stored.
    pub recorded_at: DateTime<Utc>,
}

impl RecordedEvent {
    /// Decodes a build's event.
    ///
    /// # Errors
    /// If it was written by a newer version or its data does not fit.
    pub fn build_event(&self) -> Result<BuildEvent, domain::DecodeError> {
        BuildEvent::decode(&self.kind, self.schema_version, &self.payload)
    }

    /// Decodes an endpoint's event.
    ///
    /// # Errors
    /// If it was written by a newer version or its data does not fit.
    pub fn endpoint_event(&self) -> Result<EndpointEvent, domain::DecodeError> {
        EndpointEvent::decode(&self.kind, self.schema_version, &self.payload)
    }
}

/// Some events of a tenant.
#[derive(Debug, Clone, Default)]
pub struct TenantPage {
    /// The events, in order.
    pub events: Vec<RecordedEvent>,
    /// No further event of the tenant is at or before this position: where to read on.
    pub upto: Position,
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or is busy or full: later it may work.
    #[error("the event store is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be read.
    #[error("a stored event cannot be read: {0}")]
    Corrupt(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is shutting down.
    #[error("the event store is closed")]
    Closed,
}

/// Why an append did not happen. Nothing of it is stored, unless the store became unavailable in the middle: then
/// that is not known, and the stream must be read again before deciding anew.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream has another version than expected: read it again and decide again.
    #[error("the stream is at version {actual}, not {expected}")]
    Conflict {
        /// What was expected.
        expected: Version,
        /// What is there.
        actual: Version,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The event store.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Stores events at the end of a stream if it is at the expected version. When the future is ready the
    /// events are on disk.
    ///
    /// # Errors
    /// [`AppendError::Conflict`], or the store's own failure; nothing is stored then.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Events of one stream after a version, in order, at most `limit`.
    ///
    /// # Errors
    /// The store's failure.
    async fn read_stream(
        &self,
        stream: StreamId,
        after: Version,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Events of all streams after a position, in order, at most `limit`.
    ///
    /// # Errors
    /// The store's failure.
    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Events of one tenant after a position, in order, at most `limit`. What other tenants have stored in between
    /// costs nothing.
    ///
    /// # Errors
    /// The store's failure.
    async fn read_tenant(
        &self,
        tenant: &TenantName,
        after: Position,
        limit: usize,
    ) -> Result<TenantPage, StoreError>;

    /// The position of the last event, kept up to date. A change is a wake-up for readers.
    fn head(&self) -> watch::Receiver<Position>;
}
