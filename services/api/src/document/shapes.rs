//! Bounds that follow from what something is.

use crate::read::MOST_WHOLE;
use serde_json::{Map, Value, json};

/// Gives every number and every time in the document the bounds of its format, and says of answers that what
/// is not there is left out instead of `null`.
pub(crate) fn bound(document: &mut Value) {
    each_schema(document, &mut |schema| {
        if is_a(schema, "integer") {
            let format = schema.entry("format").or_insert(json!("int64")).clone();
            let most = if format == "int32" { u64::from(i32::MAX.unsigned_abs()) } else { MOST_WHOLE };
            schema.entry("minimum").or_insert(json!(0));
            schema.entry("maximum").or_insert(json!(most));
        }
        if is_a(schema, "string") && schema.get("format").is_some_and(|format| format == "date-time") {
            // 2026-01-01T12:00:00.123456789+00:00
            schema.entry("maxLength").or_insert(json!(35));
        }
    });
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas.filter(|(_, schema)| schema["additionalProperties"] != false) {
        each_schema(schema, &mut never_null);
    }
    each_schema(&mut document["paths"], &mut never_null);
}

/// Calls `change` with every schema inside.
fn each_schema(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            let parts =
                fields.iter_mut().filter(|(name, _)| !matches!(name.as_str(), "example" | "examples"));
            parts.for_each(|(_, part)| each_schema(part, change));
            // A schema has a type, or is one of several; a property called `type` is an object.
            if fields.get("type").is_some_and(|kind| !kind.is_object())
                || ["oneOf", "anyOf"].iter().any(|several| fields.contains_key(*several))
            {
                change(fields);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| each_schema(element, change)),
        _ => {}
    }
}

fn is_a(schema: &Map<String, Value>, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == wanted,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        _ => false,
    }
}

fn never_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            schema["type"] = kind.clone();
        }
    }
    let Some(Value::Array(several)) = schema.get_mut("oneOf") else { return };
    several.retain(|one| one["type"] != "null");
    if let [Value::Object(only)] = several.as_mut_slice() {
        let only = std::mem::take(only);
        schema.remove("oneOf");
        for (name, value) in only {
            schema.entry(name).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_get_the_bounds_of_their_formats() {
        let mut document = json!({ "components": { "schemas": { "A": { "type": "object", "properties": {
            "type": { "type": "integer", "format": "int32", "minimum": 1 },
            "sum": { "type": "integer" },
            "at": { "type": "string", "format": "date-time" },
        } } } } });
        bound(&mut document);
        let properties = &document["components"]["schemas"]["A"]["properties"];
        let int32 = json!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 2_147_483_647 });
        assert_eq!(properties["type"], int32);
        assert_eq!(properties["sum"]["maximum"], MOST_WHOLE);
        assert_eq!(properties["at"]["maxLength"], 35);
    }

    #[test]
    fn only_what_clients_write_may_be_null() {
        let optional = json!({ "type": "object", "properties": {
            "text": { "type": ["string", "null"] },
            "other": { "oneOf": [{ "type": "null" }, { "$ref": "#/x", "description": "x" }] },
        } });
        let mut order = optional.clone();
        order["additionalProperties"] = json!(false);
        let mut document =
            json!({ "components": { "schemas": { "Answer": optional, "Order": order.clone() } } });
        bound(&mut document);
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Order"], order);
        let properties = &schemas["Answer"]["properties"];
        assert_eq!(properties["text"], json!({ "type": "string" }));
        assert_eq!(properties["other"], json!({ "$ref": "#/x", "description": "x" }));
    }
}
