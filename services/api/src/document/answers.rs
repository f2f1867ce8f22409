//! What holds for the answers of every operation, as `edge` sees to it.

use super::finish::operations;
use serde_json::{Map, Value, json};

/// Adds the errors that any request can meet, the headers that every answer has, and the form of headers.
pub(crate) fn complete(document: &mut Value) {
    for (_, operation) in operations(document) {
        let Some(responses) = operation["responses"].as_object_mut() else { continue };
        for (status, description) in [
            ("500", "`internal`: an internal error"),
            ("503", "`unavailable`: not available at the moment, try again"),
        ] {
            responses.entry(status).or_insert_with(|| problem(description));
        }
        for (status, response) in responses {
            let headers = response.as_object_mut().map(|response| response.entry("headers"));
            let headers = headers.and_then(|entry| entry.or_insert_with(|| json!({})).as_object_mut());
            headers.into_iter().for_each(|headers| describe(headers, status));
        }
    }
}

/// An answer that is a problem document.
pub(super) fn problem(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": description, "content": { problem::MEDIA_TYPE: { "schema": schema } } })
}

fn describe(headers: &mut Map<String, Value>, status: &str) {
    headers.insert("x-request-id".to_owned(), json!({
        "description": "Names the request in logs: the client's own `X-Request-Id` if that can stand in a log, \
            or else a new one",
    }));
    headers.insert("traceparent".to_owned(), json!({
        "description": "The place of the request in its trace (W3C Trace Context): the trace of the request's own \
            `traceparent`, or else a new one",
    }));
    if status == "503" {
        headers
            .entry("retry-after")
            .or_insert_with(|| json!({ "description": "Seconds after which to try again" }));
    }
    for (name, header) in headers {
        if let Some(schema) = form(name) {
            header["schema"] = schema;
        }
    }
}

/// What the value of a header looks like.
fn form(name: &str) -> Option<Value> {
    // An HTTP head has at most so many bytes, and what is asked for comes back in `Link`.
    const HEAD: u32 = 1 << 17;
    Some(match name.to_ascii_lowercase().as_str() {
        "x-request-id" => {
            json!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9_.:/+=-]+$" })
        }
        "etag" => {
            json!({ "type": "string", "maxLength": 64, "pattern": "^(W/)?\"[0-9a-f]+\"$", "examples": ["\"7\""] })
        }
        "traceparent" => {
            json!({ "type": "string", "maxLength": 55, "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$" })
        }
        "location" => json!({
            "type": "string", "format": "uri-reference", "maxLength": 256,
            "examples": ["/v1/builds/bld_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
        }),
        "link" => json!({
            "type": "string", "maxLength": HEAD,
            "examples": ["</v1/builds?limit=50&cursor=YmxkXzAx>; rel=\"next\""],
        }),
        "content-disposition" => json!({ "type": "string", "maxLength": 256 }),
        "retry-after" => json!({ "type": "integer", "format": "int32", "minimum": 1 }),
        _ => return None,
    })
}
