//! Ids in paths. A text that is no id names nothing that exists: the answer is the same 404.

use crate::{App, errors::api_errors};
use axum::extract::{FromRequestParts, Path};
use domain::{BuildId, TaskId};
use http::request::Parts;
use std::str::FromStr;

/// The build named by the path.
pub(crate) struct BuildPath(pub(crate) BuildId);

/// The task named by the path.
pub(crate) struct TaskPath(pub(crate) TaskId);

api_errors! {
    /// The path names nothing.
    pub(crate) enum PathError {
        NOT_FOUND "build_unknown": Build => "there is no such build",
        NOT_FOUND "task_unknown": Task => "there is no such task",
    }
}

impl FromRequestParts<App> for BuildPath {
    type Rejection = PathError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PathError> {
        id(parts, app).await.map(Self).ok_or(PathError::Build)
    }
}

impl FromRequestParts<App> for TaskPath {
    type Rejection = PathError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PathError> {
        id(parts, app).await.map(Self).ok_or(PathError::Task)
    }
}

async fn id<T: FromStr>(parts: &mut Parts, app: &App) -> Option<T> {
    Path::<String>::from_request_parts(parts, app).await.ok()?.parse().ok()
}
