//! What agents are told. The texts are files beside this one, one for each type of task.

use plan::{PlannedTask, TaskType};
use ports::{TaskInput, WorkOrder};
use std::{fmt::Write as _, path::Path};

/// Most characters of the build's prompt that a task is shown; planning sees all of it.
const CONTEXT_CHARS: usize = 8_000;

const PLAN: &str = include_str!("prompt/plan.md");
const TASK: &str = include_str!("prompt/task.md");

/// What a task of a type has to keep to.
fn rules(task_type: TaskType) -> &'static str {
    match task_type {
        TaskType::CreateFile => include_str!("prompt/create_file.md"),
        TaskType::ModifyFile => include_str!("prompt/modify_file.md"),
        TaskType::CreateComponent => include_str!("prompt/create_component.md"),
        TaskType::SetupConfig => include_str!("prompt/setup_config.md"),
        TaskType::InstallDeps => include_str!("prompt/install_deps.md"),
        TaskType::Agent | TaskType::Command => include_str!("prompt/agent.md"),
    }
}

/// The prompt for planning.
pub(crate) fn planning(order: &WorkOrder, tree: &Path, files: &[String]) -> String {
    let existing = if files.is_empty() {
        "The workspace is empty.".to_owned()
    } else {
        format!("The workspace already holds these files:\n{}", files.join("\n"))
    };
    let framework = order.spec.framework.as_ref().map_or(String::new(), |f| format!("Framework: {f}\n"));
    fill(
        PLAN,
        &[
            ("workspace", &tree.display().to_string()),
            ("framework", &framework),
            ("existing", &existing),
            ("prompt", &order.spec.prompt),
        ],
    )
}

/// The prompt for a task.
pub(crate) fn task(
    order: &WorkOrder,
    task: &PlannedTask,
    inputs: &[TaskInput],
    previous_failure: Option<&str>,
    tree: &Path,
) -> String {
    let targets = task.targets.iter().fold(String::new(), |mut text, target| {
        let _ = writeln!(text, "Target: {target}");
        text
    });
    let done = match inputs {
        [] => String::new(),
        _ => inputs.iter().fold(
            "\nAlready done by others, and in the workspace:\n".to_owned(),
            |mut text, i| {
                let _ = writeln!(text, "- {}", i.title);
                text
            },
        ),
    };
    let check = task.check.as_ref().map_or(String::new(), |check| {
        format!("\nWhen you are done, this command will be run in the workspace and must exit 0: {check}\n")
    });
    let previous = previous_failure.map_or(String::new(), |why| {
        format!("\nAn earlier attempt at this task failed: {why}\nDo not repeat what led to that.\n")
    });
    let context: String = order.spec.prompt.chars().take(CONTEXT_CHARS).collect();
    fill(
        TASK,
        &[
            ("workspace", &tree.display().to_string()),
            ("key", task.key.as_str()),
            ("type", task.task_type.as_str()),
            ("title", &task.title),
            ("targets", &targets),
            ("context", &context),
            ("done", &done),
            ("prompt", &task.prompt),
            ("rules", rules(task.task_type).trim_end()),
            ("check", &check),
            ("previous", &previous),
        ],
    )
}

/// Puts values in place of `{{name}}`, in one pass: what a value contains is never taken for a name.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        text.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once_and_not_looked_into() {
        assert_eq!(fill("a {{x}} b {{y}}.", &[("x", "{{y}}"), ("y", "Y")]), "a {{y}} b Y.");
    }

    #[test]
    fn every_name_in_the_templates_is_known() {
        for template in [PLAN, TASK] {
            for part in template.split("{{").skip(1) {
                let name = part.split("}}").next().unwrap();
                let known = [
                    "workspace",
                    "framework",
                    "existing",
                    "prompt",
                    "key",
                    "type",
                    "title",
                    "targets",
                    "context",
                    "done",
                    "rules",
                    "check",
                    "previous",
                ];
                assert!(known.contains(&name), "{name}");
            }
        }
    }
}
