//! Ids in paths are the ids that answers hold.

use super::finish::operations;
use serde_json::{Value, json};

/// Gives the parameter `id` of every path the schema of what it names.
pub(crate) fn name(document: &mut Value) {
    for (path, operation) in operations(document) {
        let kind = match path {
            path if path.starts_with("/v1/builds/{id}") => "BuildId",
            path if path.starts_with("/v1/tasks/{id}") => "TaskId",
            _ => continue,
        };
        let parameters = operation["parameters"].as_array_mut().into_iter().flatten();
        for parameter in parameters.filter(|one| one["in"] == "path" && one["name"] == "id") {
            parameter["schema"] = json!({ "$ref": format!("#/components/schemas/{kind}") });
        }
    }
}
