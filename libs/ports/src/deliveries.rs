//! What became of events on their way to webhook endpoints.

use crate::{Position, StoreError, Version};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId, endpoint::EndpointSpec};
use std::{fmt, str::FromStr, sync::Arc, time::Duration};

/// One event on its way to one endpoint: `dlv_`, the endpoint's 26 characters, `_` and the event's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// Where to.
    pub endpoint: EndpointId,
    /// Of which event.
    pub position: Position,
}

/// Why a text is no [`DeliveryId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a delivery id: dlv_, 26 letters and digits, _ and a number")]
pub struct DeliveryIdError;

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.to_string();
        let ulid = endpoint.split_once('_').map_or(endpoint.as_str(), |(_, ulid)| ulid);
        write!(f, "dlv_{ulid}_{}", self.position)
    }
}

impl FromStr for DeliveryId {
    type Err = DeliveryIdError;

    fn from_str(text: &str) -> Result<Self, DeliveryIdError> {
        let (ulid, position) =
            text.strip_prefix("dlv_").and_then(|rest| rest.split_once('_')).ok_or(DeliveryIdError)?;
        let ulid = ulid::Ulid::from_string(ulid).map_err(|_| DeliveryIdError)?;
        if !position.bytes().all(|b| b.is_ascii_digit()) {
            return Err(DeliveryIdError);
        }
        let position = position.parse().map(Position).map_err(|_| DeliveryIdError)?;
        Ok(Self { endpoint: EndpointId::new(ulid), position })
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStatus {
    /// It is tried again, or waits for an earlier one of its build.
    Pending,
    /// The endpoint has it.
    Delivered,
    /// It is not tried any more, unless somebody asks for it.
    Dead,
}

impl DeliveryStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// Its name, in storage and for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Why an attempt to deliver failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptError {
    /// The answer was none of 200 to 299; redirects are not followed.
    Status,
    /// The address may not be connected to.
    Refused,
    /// The name has no address.
    Dns,
    /// Nobody listens there.
    Connect,
    /// No encrypted connection came about.
    Tls,
    /// It took too long.
    Timeout,
    /// The connection ended before the answer did.
    Reset,
    /// What came back is no HTTP.
    Protocol,
    /// The endpoint's secrets could not be opened, so nothing was sent.
    Secret,
}

impl AttemptError {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Status,
        Self::Refused,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Protocol,
        Self::Secret,
    ];

    /// Its name, in storage, in figures and for clients.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Refused => "refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Secret => "secret",
        }
    }

    /// The error of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.name() == name)
    }
}

/// A delivery as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which one.
    pub id: DeliveryId,
    /// The build that the event is of.
    pub build: Option<BuildId>,
    /// The event's id, which is the message's.
    pub event_id: Arc<str>,
    /// The event's type.
    pub event_type: Arc<str>,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was attempted.
    pub attempts: u32,
    /// How many of these attempts count for the schedule: those since it was last asked for.
    pub tries: u32,
    /// When it is attempted next. A pending one without waits for an earlier one of its build.
    pub next_at: Option<DateTime<Utc>>,
    /// When it was first attempted or put behind another.
    pub created_at: DateTime<Utc>,
    /// When it was delivered or given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// The status of the last answer.
    pub last_status: Option<u16>,
    /// Why the last attempt failed.
    pub last_error: Option<AttemptError>,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Of which delivery.
    pub position: Position,
    /// Its number, from 1.
    pub number: u32,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub took: Duration,
    /// The status that came back.
    pub status: Option<u16>,
    /// Why it failed, if it did.
    pub error: Option<AttemptError>,
    /// The same in a sentence.
    pub message: Option<String>,
    /// The headers that came back.
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the body that came back.
    pub response_body: Bytes,
}

/// How far an endpoint has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryProgress {
    /// Every event up to here is not for it, or has a delivery.
    pub cursor: Position,
    /// Since when nothing could be delivered, though it was tried.
    pub failing_since: Option<DateTime<Utc>>,
}

/// What is known of an endpoint's deliveries when its courier starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveriesKnown {
    /// How far it has come.
    pub progress: DeliveryProgress,
    /// The events after the cursor that have a delivery, in order.
    pub beyond: Vec<Position>,
    /// The builds with pending deliveries, and when the first of these is attempted next, if that is known.
    pub waiting: Vec<(BuildId, Option<DateTime<Utc>>)>,
}

/// Results to be stored: all or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryBatch {
    /// How far the endpoint has come with them.
    pub progress: DeliveryProgress,
    /// New and changed deliveries, each once.
    pub deliveries: Vec<Delivery>,
    /// New attempts.
    pub attempts: Vec<DeliveryAttempt>,
}

/// Which deliveries of an endpoint to list.
#[derive(Debug, Clone)]
pub struct DeliveryFilter {
    /// Whose.
    pub endpoint: EndpointId,
    /// Only with this status.
    pub status: Option<DeliveryStatus>,
    /// Only before this one: where the page before ended.
    pub before: Option<Position>,
    /// Most deliveries.
    pub limit: usize,
}

/// A page of a list, newest event first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryPage {
    /// The deliveries.
    pub deliveries: Vec<Delivery>,
    /// Whether older ones follow.
    pub more: bool,
}

/// How many deliveries have not come to a good end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryBacklog {
    /// Those that are tried again.
    pub pending: u64,
    /// Those that were given up.
    pub dead: u64,
}

/// Deliveries to endpoints, and how far each endpoint has come.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// What is known of an endpoint, if it ever had a courier.
    ///
    /// # Errors
    /// The store's failure.
    async fn load_deliveries(&self, endpoint: EndpointId) -> Result<Option<DeliveriesKnown>, StoreError>;

    /// Stores results and how far the endpoint has come with them.
    ///
    /// # Errors
    /// The store's failure; nothing is stored then.
    async fn record_deliveries(&self, endpoint: EndpointId, batch: DeliveryBatch) -> Result<(), StoreError>;

    /// The deliveries that are attempted next, soonest first, at most `limit`; their time may not have come.
    ///
    /// # Errors
    /// The store's failure.
    async fn next_deliveries(&self, endpoint: EndpointId, limit: usize) -> Result<Vec<Delivery>, StoreError>;

    /// The pending deliveries of a build after a position, in order, at most `limit`.
    ///
    /// # Errors
    /// The store's failure.
    async fn waiting_deliveries(
        &self,
        endpoint: EndpointId,
        build: BuildId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// A page of an endpoint's deliveries.
    ///
    /// # Errors
    /// The store's failure.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<DeliveryPage, StoreError>;

    /// A delivery and its attempts in order.
    ///
    /// # Errors
    /// The store's failure.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<(Delivery, Vec<DeliveryAttempt>)>, StoreError>;

    /// Has a delivery attempted anew, however it ended, and answers how it stands then.
    ///
    /// # Errors
    /// The store's failure.
    async fn redeliver(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<Option<Delivery>, StoreError>;

    /// Has dead deliveries attempted anew that were made at a time or later, at most `limit`. Answers how many
    /// these were.
    ///
    /// # Errors
    /// The store's failure.
    async fn redeliver_since(
        &self,
        endpoint: EndpointId,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        limit: usize,
    ) -> Result<u64, StoreError>;

    /// The endpoints of which somebody wants something redelivered, since this was asked last.
    ///
    /// # Errors
    /// The store's failure.
    async fn take_nudges(&self) -> Result<Vec<EndpointId>, StoreError>;

    /// Forgets deliveries that were made before a time, at most `limit`. Answers how many these were.
    ///
    /// # Errors
    /// The store's failure.
    async fn prune_deliveries(&self, before: DateTime<Utc>, limit: usize) -> Result<u64, StoreError>;

    /// Forgets what is kept of endpoints that are deleted as far as events have been folded in: at most `limit`
    /// deliveries; how far an endpoint came and its secrets, when none of its deliveries is left. Answers how many
    /// deliveries these were.
    ///
    /// # Errors
    /// The store's failure.
    async fn forget_deleted(&self, limit: usize) -> Result<u64, StoreError>;

    /// How many deliveries are pending and dead. Counting each stops at `most`.
    ///
    /// # Errors
    /// The store's failure.
    async fn delivery_backlog(&self, most: usize) -> Result<DeliveryBacklog, StoreError>;
}

/// Messages that only ask whether anybody is there.
#[async_trait]
pub trait Pings: Send + Sync {
    /// Sends one to an endpoint as it is at a version, signed as others are, and says what became of it.
    ///
    /// # Errors
    /// The store's failure; nothing is sent then.
    async fn ping(
        &self,
        id: EndpointId,
        version: Version,
        spec: &EndpointSpec,
    ) -> Result<DeliveryAttempt, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let id = DeliveryId { endpoint: EndpointId::new(ulid::Ulid(7)), position: Position(12) };
        assert_eq!(id.to_string(), "dlv_00000000000000000000000007_12");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "dlv_", "dlv_00000000000000000000000007", "dlv_00000000000000000000000007_+1"] {
            assert_eq!(text.parse::<DeliveryId>(), Err(DeliveryIdError), "{text}");
        }
    }
}
