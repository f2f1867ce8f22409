//! When a task may count as done. "The model says so" is not enough.

use crate::{Failure, FailureClass};
use names::RelativePath;
use plan::{PlannedTask, TaskType};
use std::collections::BTreeSet;

/// What a task changed in its workspace.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Paths that were added or modified and exist now.
    pub written: BTreeSet<String>,
    /// How many paths differ in all, removed ones included.
    pub count: u32,
    /// Whether the task has a check and it exited 0.
    pub check_passed: bool,
}

/// Checks that a task which claims success has done what its type owes.
///
/// # Errors
/// [`FailureClass::NoEvidence`], naming what is missing.
pub fn check(task: &PlannedTask, changes: &Changes) -> Result<(), Failure> {
    let fail = |message: String| Err(Failure::new(FailureClass::NoEvidence, message));
    if task.task_type == TaskType::Command {
        return Ok(());
    }
    let missing: Vec<&str> = task
        .targets
        .iter()
        .map(RelativePath::as_str)
        .filter(|path| !touched(&changes.written, path))
        .collect();
    if !missing.is_empty() {
        let (some, rest) = missing.split_at(missing.len().min(5));
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        return fail(format!("success was claimed, but not created or changed: {}{more}", some.join(", ")));
    }
    if changes.count == 0 && (task.task_type.needs_targets() || !changes.check_passed) {
        return fail("success was claimed, but nothing was changed".to_owned());
    }
    Ok(())
}

/// A target may be a file or a folder into which something was written.
fn touched(written: &BTreeSet<String>, target: &str) -> bool {
    let target = target.trim_end_matches('/');
    let folder = format!("{target}/");
    written.contains(target)
        || written.range(folder.clone()..).next().is_some_and(|path| path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Bounds, Plan, PlanDraft, TaskDraft};

    fn task(kind: &str, targets: &[&str]) -> PlannedTask {
        let draft = TaskDraft {
            id: "t".into(),
            task_type: kind.into(),
            prompt: "do it".into(),
            targets: targets.iter().map(|&t| t.to_owned()).collect(),
            command: (kind == "command").then(|| "true".into()),
            ..TaskDraft::default()
        };
        let plan = PlanDraft { tasks: vec![draft], ..PlanDraft::default() };
        Plan::validate(plan, &Bounds::NONE).unwrap().tasks()[0].clone()
    }

    fn changes(written: &[&str], check_passed: bool) -> Changes {
        let count = u32::try_from(written.len()).unwrap();
        Changes { written: written.iter().map(|&p| p.to_owned()).collect(), count, check_passed }
    }

    #[test]
    fn a_target_that_was_not_written_is_named() {
        let failure =
            check(&task("create_file", &["a.txt", "b.txt"]), &changes(&["a.txt"], true)).unwrap_err();
        assert_eq!(failure.class, FailureClass::NoEvidence);
        assert!(failure.message.contains("b.txt") && !failure.message.contains("a.txt"), "{failure}");
    }

    #[test]
    fn a_folder_target_is_met_by_a_file_inside_it() {
        assert!(check(&task("create_component", &["src/ui"]), &changes(&["src/ui/a.js"], false)).is_ok());
        assert!(check(&task("create_component", &["src/ui"]), &changes(&["src/ui2/a.js"], false)).is_err());
    }

    #[test]
    fn free_work_owes_a_change_or_a_passed_check() {
        assert!(check(&task("agent", &[]), &changes(&[], false)).is_err());
        assert!(check(&task("agent", &[]), &changes(&[], true)).is_ok());
        assert!(check(&task("agent", &[]), &changes(&["x"], false)).is_ok());
    }

    #[test]
    fn a_command_owes_nothing_but_its_exit_code() {
        assert!(check(&task("command", &[]), &changes(&[], false)).is_ok());
    }
}
