//! What an attempt starts from.

use super::{Attempt, Workshop, failures::Step, segment};
use domain::{Failure, FailureClass};
use names::{Commit, RefName};
use ports::{ArtifactError, ArtifactKey, TaskInput, WorkOrder};
use std::sync::Arc;
use tempfile::TempDir;
use workspace::{Project, Source};

/// The largest bundle that is taken in.
const MOST_BUNDLE_BYTES: u64 = 4 << 30;

impl Workshop {
    /// What the whole build starts from. The first attempt that asks fixes it for all: the artifact store
    /// keeps the first of two that are stored under one name.
    pub(super) async fn base(&self, order: &WorkOrder, project: &Arc<Project>) -> Result<Commit, Step> {
        let key = key(&format!("builds/{}/base", order.build))?;
        if let Some(base) = self.read_base(&key).await? {
            self.sharing.fetch(project, &base).await?;
            return Ok(base);
        }
        let source = order
            .spec
            .repository
            .as_ref()
            .map(|repository| Source { url: repository.url.clone(), branch: repository.branch.clone() });
        // What others are to start from must be available to them before they are told of it.
        let found = self.sharing.base(project, source.as_ref(), order.submitted_at).await?;
        let scratch = self.scratch()?;
        let file = scratch.path().join("base");
        tokio::fs::write(&file, found.as_str()).await?;
        self.artifacts.put(&key, &file).await?;
        let lost = || Failure::new(FailureClass::Crashed, "what the build starts from could not be stored");
        let fixed = self.read_base(&key).await?.ok_or_else(lost)?;
        self.sharing.fetch(project, &fixed).await?;
        Ok(fixed)
    }

    async fn read_base(&self, key: &ArtifactKey) -> Result<Option<Commit>, Step> {
        let scratch = self.scratch()?;
        let file = scratch.path().join("base");
        match self.artifacts.get(key, &file).await {
            Err(ArtifactError::NotFound(_)) => return Ok(None),
            other => other?,
        }
        let text = tokio::fs::read_to_string(&file).await?;
        // Going on from another base would make the tasks of the build disagree.
        let unreadable =
            |_| Failure::new(FailureClass::Internal, "what the build starts from is not readable");
        Ok(Some(text.trim().parse().map_err(unreadable)?))
    }

    /// The merge of what the attempt builds on; the base, if that is nothing.
    pub(super) async fn start(&self, attempt: &Attempt<'_>, inputs: &[TaskInput]) -> Result<Commit, Step> {
        for input in inputs {
            self.fetch(attempt, input).await?;
        }
        let commits: Vec<Commit> = inputs.iter().map(|input| input.commit.clone()).collect();
        if commits.is_empty() {
            return Ok(attempt.base.clone());
        }
        let message = format!("Merge what {} builds on", attempt.order.work);
        Ok(attempt.project.merge(&commits, &message, attempt.order.submitted_at).await?)
    }

    /// Brings a result of another attempt into the project's repository here, if it is not there.
    async fn fetch(&self, attempt: &Attempt<'_>, input: &TaskInput) -> Result<(), Step> {
        let Some(bundle) = &input.bundle else { return Ok(()) };
        let build = segment(&attempt.order.build.to_string())?;
        let task = segment(&format!("task-{}", input.number))?;
        let name = RefName::of_task(&build, &task);
        if attempt.project.resolve(&name).await?.as_ref() == Some(&input.commit) {
            return Ok(());
        }
        let scratch = self.scratch()?;
        let file = scratch.path().join("bundle");
        self.artifacts.get(bundle, &file).await?;
        Ok(attempt.project.import(&file, &input.commit, &name, MOST_BUNDLE_BYTES).await?)
    }

    /// A folder for files on their way. It goes with the value, even if the step that uses it is dropped.
    pub(super) fn scratch(&self) -> Result<TempDir, Step> {
        Ok(tempfile::Builder::new().prefix("scratch-").tempdir_in(&self.scratch)?)
    }
}

pub(super) fn key(text: &str) -> Result<ArtifactKey, Step> {
    ArtifactKey::try_from(text.to_owned()).map_err(Step::from)
}
