//! What a stream of server-sent events is made of. Before OpenAPI 3.2 the schema of such an answer is that of each of
//! its events; utoipa knows no schemas of what is inside of a text.

use super::finish::operations;
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
    }
    let schemas = &mut document["components"]["schemas"];
    schemas["EventMessage"] = message("An event", "EventView", "^(?!end$)[a-z_]+$");
    schemas["LineMessage"] = message("A line of output", "OutputLine", "^line$");
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.remove("EventStream");
    }
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
                    "data": data(json!({
                        "type": "object",
                        "required": ["reason"],
                        "properties": { "reason": {
                            "type": "string", "enum": ["ended", "head"],
                            "description": "`ended`: nothing will come any more; `head`: `follow` was false.",
                        } },
                    })),
                },
            },
        ],
    })
}
