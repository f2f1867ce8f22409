//! What the endpoints that read a result have in common.

use crate::{
    App,
    errors::{Fault, api_errors},
};
use domain::{
    BuildId,
    build::{BuildStatus, MergeResult},
};
use names::OwnedProject;
use ports::ResultError;

/// A build that has a result.
pub(crate) struct Finished {
    /// The project whose repository holds it.
    pub(crate) project: OwnedProject,
    /// The result.
    pub(crate) result: MergeResult,
}

impl Finished {
    /// Looks a build up.
    pub(crate) async fn find(app: &App, id: BuildId) -> Result<Self, ResultUnavailable> {
        let seen = app.builds.read(id, |loaded| {
            let build = &loaded.build;
            // A merge can be done a moment before the build is.
            let result = build.result.clone().filter(|_| build.status == BuildStatus::Completed);
            let project = build.spec.as_ref().map(|spec| spec.owned_project());
            (build.status, project.zip(result))
        });
        let (status, found) = seen.await?.ok_or(ResultUnavailable::Unknown)?;
        let (project, result) = found
            .ok_or_else(|| ResultUnavailable::NotCompleted(format!("the build is {}", status.as_str())))?;
        Ok(Self { project, result })
    }
}

api_errors! {
    /// Why there is no result to read.
    pub(crate) enum ResultUnavailable {
        NOT_FOUND "build_unknown": Unknown => "there is no such build",
        CONFLICT "build_not_completed": NotCompleted(detail: String) => "only a completed build has a result",
        GONE "result_gone": Gone => "the result is not kept any more",
    }
}

impl From<ResultError> for ResultUnavailable {
    fn from(error: ResultError) -> Self {
        match error {
            ResultError::NotFound => Self::Gone,
            ResultError::Unavailable(cause) => Self::Fault(Fault::Unavailable(cause)),
            ResultError::Failed(cause) => Self::Fault(Fault::Internal(cause)),
        }
    }
}
