use super::texts;
use crate::read::Fields;
use chrono::{DateTime, Utc};
use domain::{
    BuildId, EndpointId,
    endpoint::{DisabledReason, EndpointState},
};
use endpoints::Loaded;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, SchemaType, Type},
};

/// How much of an event is delivered: all of it, or what it is about and where to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PayloadKind {
    Full,
    Thin,
}

/// What waits for what: nothing, or an event for those before it of its build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryOrder {
    Any,
    PerBuild,
}

/// How messages are signed: with the shared secret, or beside that with a key whose public half is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signatures {
    Hmac,
    HmacAndEd25519,
}

/// Whether anything is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EndpointStatus {
    Enabled,
    Disabled,
}

/// Why nothing is delivered: its owner asked for it, every delivery failed for too long, or it answered 410.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DisabledBecause {
    ByClient,
    Failing,
    Gone,
}

/// A webhook endpoint as a client writes it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({ "url": "https://example.com/hooks", "events": ["build_*"] })))]
pub(crate) struct CreateWebhookEndpoint {
    /// Where events are delivered.
    #[schema(value_type = texts::WebhookUrl)]
    url: String,
    /// What people call it.
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    description: Option<String>,
    /// Which types of events; all if not given.
    #[schema(value_type = Option<Vec<texts::EventGlob>>, max_items = 64)]
    events: Option<Vec<String>>,
    /// Only builds of these projects; of all if there are none.
    #[schema(value_type = Option<Vec<texts::Project>>, max_items = 50)]
    projects: Option<Vec<String>>,
    /// Only builds with all of these labels.
    #[schema(schema_with = labels_schema)]
    labels: Option<BTreeMap<String, String>>,
    /// `full` if not given.
    payload: Option<PayloadKind>,
    /// Its own headers, sent along with every message. Their values are never shown again.
    #[schema(schema_with = headers_schema)]
    headers: Option<BTreeMap<String, String>>,
    /// `any` if not given.
    order: Option<DeliveryOrder>,
    /// Most deliveries begun within a second; as many as there are if not given.
    #[schema(minimum = 1, maximum = 1_000)]
    rate_per_second: Option<u32>,
    /// Most deliveries under way at the same time.
    #[schema(minimum = 1, maximum = 64)]
    concurrency: Option<u32>,
    /// Seconds that one delivery may take until the whole answer is read.
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: Option<u32>,
    /// `hmac` if not given.
    signatures: Option<Signatures>,
    /// The client's own secret; one is made if it is not given.
    #[schema(value_type = Option<texts::WebhookSecret>)]
    secret: Option<String>,
}

/// A change of a webhook endpoint: what is not given stays as it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({ "events": ["build_*"], "ratePerSecond": null })))]
pub(crate) struct UpdateWebhookEndpoint {
    /// Where events are delivered.
    #[schema(value_type = Option<texts::WebhookUrl>)]
    url: Option<String>,
    /// What people call it.
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    description: Option<String>,
    /// Which types of events.
    #[schema(value_type = Option<Vec<texts::EventGlob>>, max_items = 64)]
    events: Option<Vec<String>>,
    /// Only builds of these projects; of all if there are none.
    #[schema(value_type = Option<Vec<texts::Project>>, max_items = 50)]
    projects: Option<Vec<String>>,
    /// Only builds with all of these labels.
    #[schema(schema_with = labels_schema)]
    labels: Option<BTreeMap<String, String>>,
    /// How much of an event is delivered.
    payload: Option<PayloadKind>,
    /// Its own headers, in place of all that are there.
    #[schema(schema_with = headers_schema)]
    headers: Option<BTreeMap<String, String>>,
    /// What waits for what.
    order: Option<DeliveryOrder>,
    /// Most deliveries begun within a second; `null` for as many as there are.
    #[schema(minimum = 1, maximum = 1_000)]
    rate_per_second: Option<u32>,
    /// Most deliveries under way at the same time.
    #[schema(minimum = 1, maximum = 64)]
    concurrency: Option<u32>,
    /// Seconds that one delivery may take until the whole answer is read.
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: Option<u32>,
    /// How messages are signed. Another ed25519 key is made whenever it is asked for anew.
    signatures: Option<Signatures>,
}

/// How a secret is to be rotated.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RotateSecret {
    /// The client's own new secret; one is made if it is not given.
    #[schema(value_type = Option<texts::WebhookSecret>)]
    secret: Option<String>,
    /// Seconds that the secrets before stay valid beside it; a day if not given.
    #[schema(minimum = 0, maximum = 604_800)]
    grace_seconds: Option<u32>,
}

/// An endpoint for one build, as a client writes it.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BuildWebhook {
    /// Where all events of the build are delivered.
    #[schema(value_type = texts::WebhookUrl)]
    pub(crate) url: String,
    /// The client's own secret; one is made if it is not given, and shown in the answer.
    #[schema(value_type = Option<texts::WebhookSecret>)]
    pub(crate) secret: Option<String>,
}

/// Without the secret.
impl std::fmt::Debug for BuildWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildWebhook").field("url", &self.url).finish_non_exhaustive()
    }
}

impl BuildWebhook {
    /// Reads one from a request.
    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        let draft = Self { url: fields.required_text("url"), secret: fields.text("secret") };
        fields.finish();
        draft
    }
}

/// A webhook endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookEndpoint {
    /// Its id.
    #[schema(value_type = texts::EndpointId)]
    id: EndpointId,
    /// Where events are delivered.
    #[schema(value_type = texts::WebhookUrl)]
    url: String,
    /// What people call it.
    #[schema(max_length = 500)]
    description: String,
    /// Which types of events.
    #[schema(value_type = Vec<texts::EventGlob>, max_items = 64)]
    events: Vec<String>,
    /// Only builds of these projects; of all if there are none.
    #[schema(value_type = Vec<texts::Project>, max_items = 50)]
    projects: Vec<String>,
    /// Only builds with all of these labels.
    #[schema(schema_with = super::labels)]
    labels: BTreeMap<String, String>,
    /// How much of an event is delivered.
    payload: PayloadKind,
    /// The names of its own headers.
    #[schema(value_type = Vec<texts::HeaderName>, max_items = 20)]
    header_names: Vec<String>,
    /// What waits for what.
    order: DeliveryOrder,
    /// Most deliveries begun within a second, if there is a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    rate_per_second: Option<u32>,
    /// Most deliveries under way at the same time.
    #[schema(minimum = 1)]
    concurrency: u32,
    /// Seconds that one delivery may take until the whole answer is read.
    #[schema(minimum = 1)]
    timeout_seconds: u32,
    /// How messages are signed.
    signatures: Signatures,
    /// What `v1a` signatures are verified with, if there are some. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::WebhookPublicKey>)]
    public_key: Option<String>,
    /// The secret, in the answer that made it and in no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::WebhookSecret>)]
    secret: Option<String>,
    /// Whether anything is delivered.
    status: EndpointStatus,
    /// Since when nothing is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<DateTime<Utc>>,
    /// Why nothing is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_because: Option<DisabledBecause>,
    /// Since when every delivery had failed, if that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<DateTime<Utc>>,
    /// The one build that it was made for, if it was ordered with a build.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<texts::BuildId>)]
    build_id: Option<BuildId>,
    /// How many events it has had; the same as the entity tag.
    #[schema(minimum = 1)]
    version: u64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When anything about it changed last.
    updated_at: DateTime<Utc>,
}

/// A page of webhook endpoints, newest first. Those that were made for one build are not in it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookEndpointList {
    /// The endpoints.
    #[schema(max_items = 200)]
    pub(crate) endpoints: Vec<WebhookEndpoint>,
    /// The `cursor` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub(crate) next_cursor: Option<String>,
}

fn labels_schema() -> ObjectBuilder {
    super::labels().schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
}

fn headers_schema() -> ObjectBuilder {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(100))
        .pattern(Some("^[A-Za-z0-9-]+$"));
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(2_048))
        .pattern(Some("^[\\x20-\\x7e]*$"));
    ObjectBuilder::new()
        .description(Some(
            "Its own headers. Those that belong to the connection, the message or the sender cannot be set.",
        ))
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .max_properties(Some(20))
        .property_names(Some(name))
        .additional_properties(Some(value))
}

impl WebhookEndpoint {
    /// An endpoint, without what is secret.
    pub(crate) fn of(loaded: Loaded) -> Self {
        let Loaded { id, version, endpoint } = loaded;
        let spec = endpoint.spec;
        let (disabled_at, reason) = match endpoint.state {
            EndpointState::Disabled { at, reason } => (Some(at), Some(reason)),
            EndpointState::Enabled | EndpointState::Deleted => (None, None),
        };
        Self {
            id,
            url: spec.url,
            description: spec.description,
            events: spec.events,
            projects: spec.projects.into_iter().map(Into::into).collect(),
            labels: spec.labels,
            payload: spec.payload.into(),
            header_names: spec.header_names,
            order: spec.order.into(),
            rate_per_second: spec.rate_per_second,
            concurrency: spec.concurrency,
            timeout_seconds: spec.timeout_seconds,
            signatures: spec.signatures.into(),
            public_key: None,
            secret: None,
            status: match endpoint.state {
                EndpointState::Enabled => EndpointStatus::Enabled,
                EndpointState::Disabled { .. } | EndpointState::Deleted => EndpointStatus::Disabled,
            },
            disabled_at,
            disabled_because: reason.map(DisabledBecause::from),
            failing_since: match reason {
                Some(DisabledReason::Failing { since }) => Some(since),
                _ => None,
            },
            build_id: spec.build,
            version: version.0,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }

    /// With what receivers verify `v1a` signatures with.
    pub(crate) fn verified_with(self, public_key: Option<String>) -> Self {
        Self { public_key, ..self }
    }

    /// With its secret: once.
    pub(crate) fn with_secret(self, secret: String) -> Self {
        Self { secret: Some(secret), ..self }
    }
}

impl From<DisabledReason> for DisabledBecause {
    fn from(reason: DisabledReason) -> Self {
        match reason {
            DisabledReason::ByClient => Self::ByClient,
            DisabledReason::Failing { .. } => Self::Failing,
            DisabledReason::Gone => Self::Gone,
        }
    }
}

impl From<domain::endpoint::PayloadKind> for PayloadKind {
    fn from(kind: domain::endpoint::PayloadKind) -> Self {
        match kind {
            domain::endpoint::PayloadKind::Full => Self::Full,
            domain::endpoint::PayloadKind::Thin => Self::Thin,
        }
    }
}

impl From<domain::endpoint::DeliveryOrder> for DeliveryOrder {
    fn from(order: domain::endpoint::DeliveryOrder) -> Self {
        match order {
            domain::endpoint::DeliveryOrder::Any => Self::Any,
            domain::endpoint::DeliveryOrder::PerBuild => Self::PerBuild,
        }
    }
}

impl From<domain::endpoint::Signatures> for Signatures {
    fn from(signatures: domain::endpoint::Signatures) -> Self {
        match signatures {
            domain::endpoint::Signatures::Hmac => Self::Hmac,
            domain::endpoint::Signatures::HmacAndEd25519 => Self::HmacAndEd25519,
        }
    }
}
