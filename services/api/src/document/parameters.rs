//! Parameters that are the same in many operations.

use super::finish::operations;
use crate::read::MOST_DIGITS;
use serde_json::{Value, json};

/// Gives the parameter `id` of every path the schema of what it names, and `Last-Event-ID` that of a place.
pub(crate) fn name(document: &mut Value) {
    for (path, operation) in operations(document) {
        for parameter in parameters(operation).filter(|one| one["name"] == "Last-Event-ID") {
            parameter["schema"] =
                json!({ "type": "string", "maxLength": MOST_DIGITS, "pattern": "^[0-9]*$" });
        }
        let kind = match path {
            path if path.starts_with("/v1/builds/{id}") => "BuildId",
            path if path.starts_with("/v1/tasks/{id}") => "TaskId",
            path if path.starts_with("/v1/webhook-endpoints/{id}") => "EndpointId",
            path if path.starts_with("/v1/deliveries/{id}") => "DeliveryId",
            _ => continue,
        };
        for parameter in parameters(operation).filter(|one| one["in"] == "path" && one["name"] == "id") {
            parameter["schema"] = json!({ "$ref": format!("#/components/schemas/{kind}") });
        }
    }
}

fn parameters(operation: &mut Value) -> impl Iterator<Item = &mut Value> {
    operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten()
}
