//! One task, from its start commit to its own.

use super::{Account, Attempt, Workshop, failures::Step, planning::job, segment, sources::key};
use crate::{agent::Tools, prompt};
use domain::{
    Failure, FailureClass,
    build::{Changes, TaskResult, check_evidence},
};
use plan::{PlannedTask, TaskType};
use ports::TaskInput;
use workspace::{AgentGit, AttemptWorkspace, ChangeKind, Harvest};

/// Most characters of an agent's last words that become part of the history.
const SUMMARY_CHARS: usize = 2_000;

impl Workshop {
    pub(super) async fn do_task(
        &self,
        attempt: &Attempt<'_>,
        task: &PlannedTask,
        inputs: &[TaskInput],
        previous_failure: Option<&str>,
        account: &mut Account,
    ) -> Result<TaskResult, Failure> {
        let start = attempt.in_time(self.start(attempt, inputs)).await?;
        let agent_git = if task.task_type.uses_model() { AgentGit::Provided } else { AgentGit::Absent };
        let workspace = self.prepare(attempt, start, agent_git).await?;
        let done = self.do_task_in(attempt, &workspace, task, inputs, previous_failure, account).await;
        self.clear(workspace).await;
        done
    }

    async fn do_task_in(
        &self,
        attempt: &Attempt<'_>,
        workspace: &AttemptWorkspace,
        task: &PlannedTask,
        inputs: &[TaskInput],
        previous_failure: Option<&str>,
        account: &mut Account,
    ) -> Result<TaskResult, Failure> {
        let summary = match &task.command {
            Some(command) if task.task_type == TaskType::Command => {
                self.run_or_fail(attempt, workspace, command, FailureClass::CommandFailed).await?;
                String::new()
            }
            _ => {
                let tree = workspace.tree();
                let prompt = prompt::task(attempt.order, task, inputs, previous_failure, &tree);
                let private = workspace.private();
                let mut job = job(attempt, &tree, &private, prompt, tools(task.task_type), None);
                job.model = task.model.as_deref().unwrap_or(job.model);
                let answer = attempt.ask(self.agent.as_ref(), job, account).await?;
                answer.text.chars().take(SUMMARY_CHARS).collect()
            }
        };
        // Committed before the check, so that what a check writes is no result.
        let when = self.clock.now();
        let harvest = workspace.commit(&message(task, &summary), when).await.map_err(Step::from)?;
        if let Some(check) = &task.check {
            self.run_or_fail(attempt, workspace, check, FailureClass::CheckFailed).await?;
        }
        check_evidence(task, &changes(&harvest, task.check.is_some()))?;
        attempt.unless_stopped(self.hand_over(attempt, workspace, harvest, summary)).await
    }

    async fn run_or_fail(
        &self,
        attempt: &Attempt<'_>,
        workspace: &AttemptWorkspace,
        command: &str,
        class: FailureClass,
    ) -> Result<(), Failure> {
        let (tree, private) = (workspace.tree(), workspace.private());
        let ended =
            self.shell.run(command, &tree, &private, attempt.left(), attempt.output, attempt.stop).await?;
        if ended.timed_out {
            return Err(attempt.timed_out());
        }
        // Where the workspace was is nothing for the build's history.
        let said = ended.tail().replace(&*tree.to_string_lossy(), ".");
        match ended.code {
            Some(0) => Ok(()),
            Some(code) => Err(Failure::new(class, format!("`{command}` exited with {code}{said}"))),
            None => Err(Failure::new(class, format!("`{command}` was killed{said}"))),
        }
    }

    /// Stores what others need to start from this result.
    async fn hand_over(
        &self,
        attempt: &Attempt<'_>,
        workspace: &AttemptWorkspace,
        harvest: Harvest,
        summary: String,
    ) -> Result<TaskResult, Step> {
        let files_changed = u32::try_from(harvest.changes.len()).unwrap_or(u32::MAX);
        let commit = harvest.commit.unwrap_or_else(|| workspace.start().clone());
        let mut bundle = None;
        if commit != attempt.base {
            let order = attempt.order;
            let name = segment(&format!("{}-{}.bundle", order.work, order.attempt))?;
            let key = key(&format!("builds/{}/{name}", order.build))?;
            let scratch = self.scratch()?;
            let file = scratch.path().join("bundle");
            workspace.bundle(&commit, Some(&attempt.base), &file).await?;
            self.artifacts.put(&key, &file).await?;
            bundle = Some(key.to_string());
        }
        Ok(TaskResult { commit, bundle, files_changed, summary })
    }
}

/// Which tools a type of task needs.
fn tools(task_type: TaskType) -> Tools {
    match task_type {
        TaskType::CreateFile | TaskType::ModifyFile | TaskType::CreateComponent | TaskType::SetupConfig => {
            Tools::Files
        }
        TaskType::InstallDeps | TaskType::Agent => Tools::Commands,
        TaskType::Command => Tools::None,
    }
}

fn message(task: &PlannedTask, summary: &str) -> String {
    let title = task.title.lines().next().unwrap_or_default();
    let body = if summary.is_empty() { String::new() } else { format!("\n\n{summary}") };
    format!("{}: {title}{body}", task.key)
}

fn changes(harvest: &Harvest, check_passed: bool) -> Changes {
    let written = harvest
        .changes
        .iter()
        .filter(|change| change.kind != ChangeKind::Deleted)
        .map(|change| String::from_utf8_lossy(change.path.as_bytes()).into_owned())
        .collect();
    Changes { written, count: u32::try_from(harvest.changes.len()).unwrap_or(u32::MAX), check_passed }
}
