//! What a stream is made of. Before OpenAPI 3.2 the schema of an answer of server-sent events is that of each of them;
//! utoipa knows no schemas of what is inside of a text. Of WebSockets OpenAPI knows nothing: they are described by the
//! answer that opens one, whose schema is that of each text.

use super::{conventions, finish::operations};
use serde_json::{Value, json};

const STREAM: &str = "text/event-stream";
/// More than the longest line or event, written as JSON in JSON.
const MOST_DATA: usize = 64 << 20;

/// Describes the events of every answer that can be a stream, by the list that the same answer is in JSON.
pub(crate) fn describe(document: &mut Value) {
    for (_, operation) in operations(document) {
        let Some(content) = operation.pointer_mut("/responses/200/content") else { continue };
        if content.get(STREAM).is_none() {
            continue;
        }
        let lines = content["application/json"]["schema"]["$ref"] == "#/components/schemas/OutputList";
        let name = if lines { "LineMessage" } else { "EventMessage" };
        content[STREAM] = json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } });
        let frame = if lines { "LineFrame" } else { "EventFrame" };
        operation["responses"]["101"] = upgraded(frame);
        for (status, error) in REFUSALS {
            conventions::add(operation, status, error);
        }
    }
    let schemas = &mut document["components"]["schemas"];
    schemas["EventMessage"] = message("An event", "EventView", EVENT);
    schemas["LineMessage"] = message("A line of output", "OutputLine", LINE);
    schemas["EventFrame"] = frame("An event", "EventView", EVENT);
    schemas["LineFrame"] = frame("A line of output", "OutputLine", LINE);
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.remove("EventStream");
    }
}

/// What only streams are refused for.
const REFUSALS: [(&str, &str); 3] = [
    ("400", "`upgrade_invalid`: this is no request for a WebSocket"),
    ("429", "`too_many_followers`: the tenant follows as many streams as it may at the same time"),
    ("503", "`followers_exhausted`: as many streams are followed here as can be"),
];

fn upgraded(frame: &str) -> Value {
    json!({
        "description": "To `Upgrade: websocket`: the same, as texts of a WebSocket, each one JSON document. Pings are \
            to be answered. After `end` it is closed with 1000, or with 1008 if the key was revoked or has expired; \
            with 1008 and `no pong`; with 1001 when the server stops and 1013 or 1011 when something does not work: \
            then, and when the connection breaks, come back with `after`. A client that takes nothing is cut off. One \
            that sends a message is refused with 1003. A page of another origin opens none unless settings allow it. \
            Pages can set no header but `Sec-WebSocket-Protocol`: there `buildwright.v1, bearer.bw_…` gives the key, \
            and only `buildwright.v1` is answered.",
        "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{frame}") } } },
        "headers": { "Sec-WebSocket-Protocol": {
            "description": "`buildwright.v1`, if it was asked for",
            "schema": { "type": "string", "enum": [crate::feed::PROTOCOL] },
        } },
    })
}

const EVENT: &str = "^(?!end$)[a-z_]+$";
const LINE: &str = "^line$";

/// Why a stream is over.
fn ending() -> Value {
    json!({
        "type": "object",
        "required": ["reason"],
        "properties": { "reason": {
            "type": "string", "enum": ["ended", "head", "key_revoked", "key_expired"],
            "description": "`ended`: nothing will come any more; `head`: `follow` was false; `key_revoked`, \
                `key_expired`: the key that opened the stream does not hold any more.",
        } },
    })
}

fn frame(what: &str, content: &str, events: &str) -> Value {
    json!({
        "description": format!("{what} as the text of a WebSocket, or the end of the stream, which alone has no id."),
        "oneOf": [
            {
                "type": "object",
                "required": ["id", "event", "data"],
                "properties": {
                    "id": { "type": "string", "maxLength": 15, "pattern": "^[0-9]+$", "description": "Where to go on: the `after` of the next request." },
                    "event": { "type": "string", "maxLength": 64, "pattern": events, "description": "Its type." },
                    "data": { "$ref": format!("#/components/schemas/{content}") },
                },
            },
            {
                "type": "object",
                "required": ["event", "data"],
                "properties": { "event": { "type": "string", "const": "end" }, "data": ending() },
            },
        ],
    })
}

fn message(what: &str, content: &str, events: &str) -> Value {
    let data = |schema: Value| {
        json!({
            "type": "string", "maxLength": MOST_DATA,
            "contentMediaType": "application/json", "contentSchema": schema,
        })
    };
    json!({
        "description": format!("{what}, or the end of the stream, which alone has no id."),
        "oneOf": [
            {
                "type": "object",
                "required": ["id", "event", "data"],
                "properties": {
                    "id": { "type": "string", "maxLength": 15, "pattern": "^[0-9]+$", "description": "Where to go on." },
                    "event": { "type": "string", "maxLength": 64, "pattern": events, "description": "Its type." },
                    "data": data(json!({ "$ref": format!("#/components/schemas/{content}") })),
                },
            },
            {
                "type": "object",
                "required": ["event", "data"],
                "properties": {
                    "event": { "type": "string", "const": "end" },
                    "data": data(ending()),
                },
            },
        ],
    })
}
