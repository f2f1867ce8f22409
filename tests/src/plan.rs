//! Plans for builds, and what the scripted model does in their tasks.

use serde_json::{Value, json};

/// A plan in the making.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    tasks: Vec<Value>,
    dependencies: Vec<Value>,
}

/// A task in the making.
#[derive(Debug, Clone)]
pub struct Task {
    fields: Value,
    after: Vec<String>,
}

impl Plan {
    /// A plan of these tasks.
    #[must_use]
    pub fn of(tasks: impl IntoIterator<Item = Task>) -> Self {
        let mut plan = Self::default();
        for task in tasks {
            if !task.after.is_empty() {
                plan.dependencies.push(json!({ "task": task.fields["id"], "dependsOn": task.after }));
            }
            plan.tasks.push(task.fields);
        }
        plan
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "summary": "What a test needs.", "tasks": self.tasks, "dependencies": self.dependencies })
    }

    /// A prompt that makes the scripted model plan this.
    #[must_use]
    pub fn prompt(&self) -> String {
        format!("Make what this plan says.\n{}", scripted(&[json!({ "structured": self.json() })]))
    }
}

impl Task {
    /// Free-form work, with a shell.
    #[must_use]
    pub fn agent(id: &str, steps: &[Value]) -> Self {
        Self::new(id, "agent", &scripted(steps))
    }

    /// A file, which the built-in script writes when no steps are given.
    #[must_use]
    pub fn file(id: &str, target: &str, steps: &[Value]) -> Self {
        let prompt = if steps.is_empty() { format!("Write {target}.") } else { scripted(steps) };
        Self::new(id, "create_file", &prompt).with("targets", json!([target]))
    }

    /// A shell command without a model.
    #[must_use]
    pub fn command(id: &str, command: &str) -> Self {
        Self::new(id, "command", "").with("command", json!(command))
    }

    fn new(id: &str, kind: &str, prompt: &str) -> Self {
        let fields = json!({ "id": id, "type": kind, "title": id, "prompt": prompt, "targets": [] });
        Self { fields, after: Vec::new() }
    }

    /// The same with a field set.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.fields[field] = value;
        self
    }

    /// The same, waiting for others.
    #[must_use]
    pub fn after(mut self, others: &[&str]) -> Self {
        self.after.extend(others.iter().map(|&other| other.to_owned()));
        self
    }
}

/// A prompt whose steps the built-in script follows.
#[must_use]
pub fn scripted(steps: &[Value]) -> String {
    format!("SCRIPTED: {}", Value::from(steps))
}

/// A step: run a command.
#[must_use]
pub fn bash(command: &str) -> Value {
    json!({ "tool": { "name": "Bash", "input": { "command": command, "timeout": 300_000 } } })
}

/// A step: write a file of the workspace.
///
/// The path is relative: `${workspace}` would be filled in where a plan is made, too, and mean another one there.
#[must_use]
pub fn write(path: &str, content: &str) -> Value {
    json!({ "tool": { "name": "Write", "input": { "file_path": path, "content": content } } })
}

/// A step: say something, after a while.
#[must_use]
pub fn say(text: &str, delay_ms: u64) -> Value {
    json!({ "text": text, "delayMs": delay_ms })
}
