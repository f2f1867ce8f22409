//! What happens to a webhook endpoint.

use super::parts::{EventDisabledReason, HeaderValues};
use crate::wire::{
    labels, texts,
    webhook::{DeliveryOrder, PayloadKind, Signatures},
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

catalogue! {
    "webhook_endpoint_created" EndpointCreatedData "Somebody wants to be told of events." {
        /// Whose it is.
        #[schema(max_length = 32)]
        tenant: String,
        /// Where events are delivered; without `webhooks:manage`, scheme and host only: `https://example.com/…`.
        #[schema(value_type = texts::WebhookUrl)]
        url: String,
        /// What people call it; left out if it has no name.
        #[schema(max_length = 500, required = false)]
        description: String,
        /// Which types of events.
        #[schema(value_type = Vec<texts::EventGlob>, max_items = 64)]
        events: Vec<String>,
        /// Only builds of these projects; left out if there are none.
        #[schema(value_type = Vec<texts::Project>, max_items = 50, required = false)]
        projects: Vec<String>,
        /// Only builds with all of these labels; left out if there are none.
        #[schema(schema_with = labels, required = false)]
        labels: BTreeMap<String, String>,
        /// How much of an event is delivered.
        payload: PayloadKind,
        /// The names of its own headers; left out if there are none.
        #[schema(value_type = Vec<texts::HeaderName>, max_items = 20, required = false)]
        header_names: Vec<String>,
        /// What waits for what.
        order: DeliveryOrder,
        /// Most deliveries begun within a second.
        rate_per_second: Option<u32>,
        /// Most deliveries under way at the same time.
        concurrency: u32,
        /// Seconds that one delivery may take.
        timeout_seconds: u32,
        /// How messages are signed.
        signatures: Signatures,
        /// The one build that it was made for.
        #[schema(value_type = Option<texts::BuildId>)]
        build: Option<String>,
        /// The `sequence` after which events are delivered.
        from: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_updated" EndpointUpdatedData "Something else is asked for." {
        /// Where events are delivered; without `webhooks:manage`, scheme and host only: `https://example.com/…`.
        #[schema(value_type = texts::WebhookUrl)]
        url: String,
        /// What people call it; left out if it has no name.
        #[schema(max_length = 500, required = false)]
        description: String,
        /// Which types of events.
        #[schema(value_type = Vec<texts::EventGlob>, max_items = 64)]
        events: Vec<String>,
        /// Only builds of these projects; left out if there are none.
        #[schema(value_type = Vec<texts::Project>, max_items = 50, required = false)]
        projects: Vec<String>,
        /// Only builds with all of these labels; left out if there are none.
        #[schema(schema_with = labels, required = false)]
        labels: BTreeMap<String, String>,
        /// How much of an event is delivered.
        payload: PayloadKind,
        /// The names of its own headers; left out if there are none.
        #[schema(value_type = Vec<texts::HeaderName>, max_items = 20, required = false)]
        header_names: Vec<String>,
        /// What waits for what.
        order: DeliveryOrder,
        /// Most deliveries begun within a second.
        rate_per_second: Option<u32>,
        /// Most deliveries under way at the same time.
        concurrency: u32,
        /// Seconds that one delivery may take.
        timeout_seconds: u32,
        /// How messages are signed.
        signatures: Signatures,
        /// The one build that it was made for.
        #[schema(value_type = Option<texts::BuildId>)]
        build: Option<String>,
        /// Whether other values of its headers took the place of those before; left out if they stay.
        #[schema(required = false)]
        header_values: HeaderValues,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_disabled" EndpointDisabledData "Nothing is delivered any more." {
        /// Why.
        reason: EventDisabledReason,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_enabled" EndpointEnabledData "It is delivered to again." {
        /// The `sequence` after which events are delivered.
        from: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_secret_rotated" EndpointSecretRotatedData "There is a new secret." {
        /// Until when messages are signed with the secrets before too.
        old_valid_until: DateTime<Utc>,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_deleted" EndpointDeletedData "It is gone for good." {
        /// When.
        at: DateTime<Utc>,
    }
}
