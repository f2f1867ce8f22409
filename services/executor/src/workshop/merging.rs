//! The end of a build: all results in one commit, on the project's branch.

use super::{Attempt, Workshop, failures::Step, segment};
use bundles::BuildWork;
use domain::{Failure, build::MergeResult};
use names::{BranchName, Commit};
use ports::TaskInput;

impl Workshop {
    pub(super) async fn merge(
        &self,
        attempt: &Attempt<'_>,
        inputs: &[TaskInput],
    ) -> Result<MergeResult, Failure> {
        // The limit of a task is none for the results of thousands; the deadline of the build holds.
        let commit = attempt.unless_stopped(self.start(attempt, inputs)).await?;
        self.publish(attempt, commit).await.map_err(Failure::from)
    }

    /// Once begun it is carried to its end: it is short, and half of it is of no use.
    async fn publish(&self, attempt: &Attempt<'_>, commit: Commit) -> Result<MergeResult, Step> {
        let (order, base) = (attempt.order, &attempt.base);
        let build = segment(&order.build.to_string())?;
        let message = format!("Merge build {}", order.build);
        let (project, when) = (&attempt.project, order.submitted_at);
        let work = BuildWork { build: &build, base, commit: &commit, message: &message, when };
        self.sharing.publish(project, &work).await?;
        let changed = project.changed_files(base, &commit).await?;
        Ok(MergeResult {
            base: base.clone(),
            commit,
            branch: BranchName::main().to_string(),
            files_changed: u32::try_from(changed).unwrap_or(u32::MAX),
        })
    }
}
