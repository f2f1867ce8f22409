use super::texts;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use domain::{BuildId, EndpointId};
use ports::{Delivery, DeliveryAttempt};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Where a delivery stands: it is tried again, it was delivered, or it was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryStatus {
    Pending,
    Delivered,
    Dead,
}

impl From<ports::DeliveryStatus> for DeliveryStatus {
    fn from(status: ports::DeliveryStatus) -> Self {
        match status {
            ports::DeliveryStatus::Pending => Self::Pending,
            ports::DeliveryStatus::Delivered => Self::Delivered,
            ports::DeliveryStatus::Dead => Self::Dead,
        }
    }
}

/// The status of a name.
pub(crate) fn status_of(text: &str) -> Result<ports::DeliveryStatus, String> {
    ports::DeliveryStatus::parse(text).ok_or_else(|| "must be pending, delivered or dead".to_owned())
}

/// Why an attempt failed: a status other than 2xx, an address that may not be connected to, a name without address,
/// nobody there, no encryption, too slow, a connection that ended, no HTTP, or secrets that cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AttemptError {
    Status,
    Refused,
    Dns,
    Connect,
    Tls,
    Timeout,
    Reset,
    Protocol,
    Secret,
}

impl From<ports::AttemptError> for AttemptError {
    fn from(error: ports::AttemptError) -> Self {
        match error {
            ports::AttemptError::Status => Self::Status,
            ports::AttemptError::Refused => Self::Refused,
            ports::AttemptError::Dns => Self::Dns,
            ports::AttemptError::Connect => Self::Connect,
            ports::AttemptError::Tls => Self::Tls,
            ports::AttemptError::Timeout => Self::Timeout,
            ports::AttemptError::Reset => Self::Reset,
            ports::AttemptError::Protocol => Self::Protocol,
            ports::AttemptError::Secret => Self::Secret,
        }
    }
}

/// An event on its way to a webhook endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryView {
    /// Its id.
    #[schema(value_type = texts::DeliveryId)]
    id: String,
    /// Where to.
    #[schema(value_type = texts::EndpointId)]
    endpoint_id: EndpointId,
    /// The event, and the `webhook-id` of the message.
    #[schema(value_type = texts::EventId)]
    event_id: Arc<str>,
    /// The type of the event.
    #[serde(rename = "type")]
    #[schema(value_type = String, max_length = 64)]
    kind: Arc<str>,
    /// The build that the event is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::BuildId>)]
    build_id: Option<BuildId>,
    /// The place of the event in the log.
    sequence: u64,
    /// Where it stands.
    status: DeliveryStatus,
    /// How often it was attempted.
    attempts: u32,
    /// When it is attempted next. A pending one without waits for an earlier one of its build.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<DateTime<Utc>>,
    /// When it was first attempted.
    created_at: DateTime<Utc>,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<u16>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<AttemptError>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            endpoint_id: delivery.id.endpoint,
            event_id: delivery.event_id,
            kind: delivery.event_type,
            build_id: delivery.build,
            sequence: delivery.id.position.0,
            status: delivery.status.into(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_at,
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
            last_status: delivery.last_status,
            last_error: delivery.last_error.map(Into::into),
        }
    }
}

/// A page of deliveries, newest event first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryList {
    /// The deliveries.
    #[schema(max_items = 200)]
    pub(crate) deliveries: Vec<DeliveryView>,
    /// The `cursor` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub(crate) next_cursor: Option<String>,
}

/// A header of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeaderView {
    /// Its name.
    #[schema(max_length = 8192)]
    name: String,
    /// Its value.
    #[schema(max_length = 8192)]
    value: String,
}

/// One attempt to deliver.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttemptView {
    /// Its number, from 1.
    number: u32,
    /// When it began.
    at: DateTime<Utc>,
    /// Milliseconds that it took.
    duration_ms: u64,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<AttemptError>,
    /// The same in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    message: Option<String>,
    /// The first headers of the answer, without cookies.
    #[schema(max_items = 100)]
    response_headers: Vec<HeaderView>,
    /// The beginning of the answer's body: at most 20,000 bytes, as text if it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20_000)]
    response_body: Option<String>,
    /// The same in base64, if it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 26_668)]
    response_body_base64: Option<String>,
}

impl From<DeliveryAttempt> for AttemptView {
    fn from(attempt: DeliveryAttempt) -> Self {
        let (text, base64) = match std::str::from_utf8(&attempt.response_body) {
            Ok(text) => (Some(text.to_owned()).filter(|text| !text.is_empty()), None),
            Err(_) => (None, Some(BASE64_STANDARD.encode(&attempt.response_body))),
        };
        let headers = attempt.response_headers.into_iter();
        Self {
            number: attempt.number,
            at: attempt.at,
            duration_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            status: attempt.status,
            error: attempt.error.map(Into::into),
            message: attempt.message,
            response_headers: headers.map(|(name, value)| HeaderView { name, value }).collect(),
            response_body: text,
            response_body_base64: base64,
        }
    }
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryDetail {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// Its attempts, in order.
    #[schema(max_items = 10_000)]
    attempt_log: Vec<AttemptView>,
}

impl DeliveryDetail {
    pub(crate) fn of(delivery: Delivery, attempts: Vec<DeliveryAttempt>) -> Self {
        Self { delivery: delivery.into(), attempt_log: attempts.into_iter().map(AttemptView::from).collect() }
    }
}

/// What became of a ping.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PingView {
    /// Whether it was answered with 2xx.
    delivered: bool,
    /// The attempt.
    attempt: AttemptView,
}

impl From<DeliveryAttempt> for PingView {
    fn from(attempt: DeliveryAttempt) -> Self {
        Self { delivered: attempt.error.is_none(), attempt: attempt.into() }
    }
}

/// How many deliveries are attempted anew.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedeliveredView {
    /// So many.
    pub(crate) redelivered: u64,
}
