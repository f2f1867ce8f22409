//! The `webhooks` object, which utoipa does not know: one for each type of event.

use crate::wire::{BUILD_EVENTS, EventKind};
use serde_json::{Map, Value, json};

/// Adds what is sent to those who subscribe.
pub(crate) fn add(document: &mut Value) {
    let mut webhooks = Map::new();
    // What happens to endpoints is told in the log only.
    for EventKind { name, summary, data } in BUILD_EVENTS {
        let schema = format!("{}Event", data.trim_end_matches("Data"));
        webhooks.insert((*name).to_owned(), json!({ "post": post(name, summary, &schema) }));
        document["components"]["schemas"][schema] = payload(name, summary, data);
    }
    document["webhooks"] = Value::Object(webhooks);
}

fn payload(kind: &str, summary: &str, data: &str) -> Value {
    let component = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    json!({
        "type": "object",
        "description": summary,
        "required": ["id", "type", "buildId", "timestamp", "sequence", "data"],
        "properties": {
            "id": component("EventId"),
            "type": { "type": "string", "const": kind, "description": "What happened." },
            "buildId": component("BuildId"),
            "timestamp": { "type": "string", "format": "date-time", "description": "When it was stored." },
            "sequence": {
                "type": "integer", "format": "int64", "minimum": 1,
                "description": "Its place among all events: to order them, to notice that one is missing, and \
                    to catch up with `GET /v1/events?after=`.",
            },
            "data": component(data),
        },
    })
}

fn post(kind: &str, summary: &str, schema: &str) -> Value {
    json!({
        "operationId": format!("on{}", schema.trim_end_matches("Event")),
        "tags": ["webhooks"],
        "summary": summary.trim_end_matches('.'),
        "description": format!(
            "Sent for `{kind}`, at least once: the same `webhook-id` again is the same event again. Check a \
             signature over the raw body before believing it."
        ),
        "security": [],
        "parameters": [
            header("webhook-id", "The event's id, the same at every attempt", &json!({
                "$ref": "#/components/schemas/EventId",
            })),
            header("webhook-timestamp", "When this attempt was made, in seconds since 1970", &seconds(1)),
            header("webhook-signature", "Standard Webhooks: one or more of `v1,` and the base64 of HMAC-SHA256 \
                over `{webhook-id}.{webhook-timestamp}.{body}`, or `v1a,` and an Ed25519 signature of it, \
                separated by spaces", &json!({ "type": "string", "maxLength": 2_048 })),
            header("X-Webhook-Timestamp", "The same time in milliseconds", &seconds(1_000)),
            header("X-Webhook-Signature", "The hexadecimal HMAC-SHA256 of the body", &json!({
                "type": "string", "minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$",
            })),
        ],
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } },
        },
        "responses": {
            "2XX": { "description": "Accepted; nothing of the answer is read but its status" },
            "410": { "description": "Nobody wants these any more: the endpoint is disabled" },
            "default": { "description": "Not accepted, redirects included: it is tried again later, after \
                `Retry-After` if that is given" },
        },
    })
}

fn header(name: &str, description: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "header", "required": true, "description": description, "schema": schema })
}

/// A time since 1970, in so many parts of a second.
fn seconds(parts: u64) -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 1_500_000_000 * parts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ENDPOINT_EVENTS;
    use domain::{build::BuildEvent, endpoint::EndpointEvent};

    #[test]
    fn every_event_is_in_the_catalogue() {
        let names = |kinds: &[EventKind]| kinds.iter().map(|kind| kind.name).collect::<Vec<_>>();
        assert_eq!(names(BUILD_EVENTS), BuildEvent::KINDS);
        assert_eq!(names(ENDPOINT_EVENTS), EndpointEvent::KINDS);
    }
}
