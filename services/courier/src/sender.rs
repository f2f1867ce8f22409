//! Signs and sends.

use crate::{message, verdict::Attempted};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use domain::{EndpointId, endpoint::EndpointSpec};
use egress::{Client, FailureClass, Outcome, Request, TargetUrl};
use endpoints::{Contents, Endpoints, VaultError};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use ports::{AttemptError, Clock, DeliveryAttempt, Pings, Position, StoreError, Version};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use webhooks::{CustomHeaders, HeaderRules, MessageId, Signer, SigningKey, SimpleKey};

/// Sends messages to endpoints. Clones share connections.
#[derive(Clone)]
pub struct Sender {
    /// Keeps away from what is inside.
    pub client: Client,
    /// Has the keys.
    pub endpoints: Arc<Endpoints>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// Where and how to send to one endpoint.
#[derive(Debug)]
pub(crate) struct Destination {
    target: Result<TargetUrl, String>,
    keys: Result<Keys, Lacking>,
    timeout: Duration,
    /// When the keys must be looked up again.
    pub(crate) valid_until: Instant,
}

/// So long keys are used without looking whether there are others: an event tells of a change, but a moment before
/// the keys are there.
const KEYS_FOR: Duration = Duration::from_secs(2);
/// So often it is looked again where those are not there yet.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// They cannot be opened.
    Unusable,
    /// The values of the endpoint's headers are not there yet, or lost.
    Behind,
    /// They are those of a later version of the endpoint.
    Ahead,
}

impl Lacking {
    fn why(self) -> &'static str {
        match self {
            Self::Unusable => "the endpoint's secrets cannot be opened",
            Self::Behind => "the new values of the endpoint's headers were not kept: give them again",
            Self::Ahead => "the endpoint was changed meanwhile",
        }
    }
}

impl Destination {
    /// Why there are no keys, if there are none.
    pub(crate) fn lacks(&self) -> Option<Lacking> {
        self.keys.as_ref().err().copied()
    }
}

/// What messages to an endpoint are signed with, and what they bring along.
#[derive(Debug)]
struct Keys {
    signer: Signer,
    /// The simple scheme has one signature: by the newest secret.
    simple: SimpleKey,
    headers: CustomHeaders,
}

impl Keys {
    fn of(contents: &Contents, now: DateTime<Utc>) -> Option<Self> {
        let mut secrets = contents.secrets(now).map(|(secret, _)| secret);
        let newest = secrets.next()?;
        let (simple, first) = (SimpleKey::from(&newest), Signer::new(newest));
        let signer = secrets.fold(first, Signer::and);
        let signer = match contents.private_key() {
            Some(key) => signer.and(SigningKey::from(key)),
            None => signer,
        };
        let headers = HeaderRules::default().check(&contents.headers).unwrap_or_default();
        Some(Self { signer, simple, headers })
    }
}

impl Sender {
    /// Looks up all that sending to an endpoint takes.
    pub(crate) async fn destination(
        &self,
        id: EndpointId,
        version: Version,
        spec: &EndpointSpec,
    ) -> Result<Destination, StoreError> {
        let now = self.clock.now();
        let target = TargetUrl::parse(&spec.url, self.client.policy()).map_err(|error| error.to_string());
        let keys = match self.endpoints.contents(id, version).await {
            Ok(contents) => Keys::of(&contents, now).ok_or(Lacking::Unusable),
            Err(VaultError::Store(error)) => return Err(error),
            Err(VaultError::Behind) => Err(Lacking::Behind),
            Err(VaultError::Ahead) => Err(Lacking::Ahead),
            Err(error) => {
                tracing::error!(endpoint = %id, %error, "messages to an endpoint cannot be signed");
                Err(Lacking::Unusable)
            }
        };
        let timeout = Duration::from_secs(u64::from(spec.timeout_seconds.max(1)));
        let valid_for = match &keys {
            Err(Lacking::Behind | Lacking::Ahead) => LOOK_AGAIN,
            Ok(_) | Err(Lacking::Unusable) => KEYS_FOR,
        };
        Ok(Destination { target, keys, timeout, valid_until: Instant::now() + valid_for })
    }

    /// Sends one message and says what became of it.
    pub(crate) async fn send(&self, to: &Destination, id: &str, body: Bytes) -> Attempted {
        let at = self.clock.now();
        let target = match &to.target {
            Ok(target) => target,
            Err(why) => return unsent(at, AttemptError::Refused, why),
        };
        let keys = match &to.keys {
            Ok(keys) => keys,
            Err(lacking) => return unsent(at, AttemptError::Secret, lacking.why()),
        };
        let Some(headers) = headers(keys, id, at, &body) else {
            return unsent(at, AttemptError::Secret, "the message cannot be signed");
        };
        let request = Request { target, method: Method::POST, headers, body, deadline: to.timeout };
        match self.client.send(request).await {
            Outcome::Answered(answer) => Attempted {
                at,
                took: answer.latency,
                status: Some(answer.status.as_u16()),
                error: None,
                message: None,
                retry_after: answer
                    .retry_after
                    .and_then(|value| webhooks::retry_after(&value, self.clock.now().into())),
                headers: answer.headers,
                body: answer.body.bytes,
            },
            Outcome::Failed(failure) => Attempted {
                at,
                took: failure.latency,
                status: failure.status.map(|status| status.as_u16()),
                error: Some(class(failure.class)),
                message: Some(failure.message),
                headers: Vec::new(),
                body: Bytes::new(),
                retry_after: None,
            },
        }
    }
}

#[async_trait]
impl Pings for Sender {
    async fn ping(
        &self,
        id: EndpointId,
        version: Version,
        spec: &EndpointSpec,
    ) -> Result<DeliveryAttempt, StoreError> {
        let to = self.destination(id, version, spec).await?;
        let at = self.clock.now();
        let message = format!("png_{}_{}", id.to_string().trim_start_matches("whk_"), at.timestamp_micros());
        let attempted = match message::ping(&message, at) {
            Ok(body) => self.send(&to, &message, body).await,
            Err(error) => unsent(at, AttemptError::Protocol, &error.to_string()),
        };
        Ok(attempted.kept_of(Position(0), 1))
    }
}

pub(crate) fn unsent(at: DateTime<Utc>, error: AttemptError, why: &str) -> Attempted {
    Attempted {
        at,
        took: Duration::ZERO,
        status: None,
        error: Some(error),
        message: Some(why.to_owned()),
        headers: Vec::new(),
        body: Bytes::new(),
        retry_after: None,
    }
}

fn headers(keys: &Keys, id: &str, at: DateTime<Utc>, body: &[u8]) -> Option<HeaderMap> {
    let id: MessageId = id.parse().ok()?;
    let signed = keys.signer.sign(&id, at.into(), body);
    let simple = keys.simple.sign(at.into(), body);
    let own = [("content-type", "application/json")];
    let all = keys.headers.iter().chain(own).chain(signed.entries()).chain(simple.entries());
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        let name = HeaderName::try_from(name).ok()?;
        headers.insert(name, HeaderValue::try_from(value).ok()?);
    }
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    Some(headers)
}

fn class(class: FailureClass) -> AttemptError {
    match class {
        FailureClass::Refused => AttemptError::Refused,
        FailureClass::Dns => AttemptError::Dns,
        FailureClass::Connect => AttemptError::Connect,
        FailureClass::Tls => AttemptError::Tls,
        FailureClass::Timeout => AttemptError::Timeout,
        FailureClass::Reset => AttemptError::Reset,
        _ => AttemptError::Protocol,
    }
}
