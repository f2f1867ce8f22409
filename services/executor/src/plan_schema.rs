//! The JSON Schema that a model's plan is asked in.
//!
//! The CLI accepts an answer that fits the schema and has others repeated. What a schema cannot say (known
//! dependencies, no cycle, paths inside the workspace) is validated after that.

use plan::TaskType;
use serde_json::{Value, json};

/// The schema of a plan.
pub(crate) fn schema() -> Value {
    let types = TaskType::ALL.map(TaskType::as_str);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["summary", "tasks", "dependencies"],
        "properties": {
            "summary": { "type": "string", "description": "What will be made, in a sentence or two." },
            "tasks": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["id", "type", "title"],
                    "properties": {
                        "id": { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" },
                        "type": { "type": "string", "enum": types },
                        "title": { "type": "string" },
                        "prompt": { "type": "string", "description": "Complete instructions; not for a command." },
                        "targets": {
                            "type": "array",
                            "items": { "type": "string" },
                            "description": "Files to write, relative to the workspace."
                        },
                        "command": { "type": "string", "description": "Only for the type command." },
                        "check": { "type": "string", "description": "A shell command that must exit 0 afterwards." },
                        "timeoutSeconds": { "type": "integer", "minimum": 1 }
                    }
                }
            },
            "dependencies": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["task", "dependsOn"],
                    "properties": {
                        "task": { "type": "string" },
                        "dependsOn": { "type": "array", "items": { "type": "string" } }
                    }
                }
            }
        }
    })
}
