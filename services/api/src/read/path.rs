//! Ids in paths. A text that is no id names nothing that exists, and nor does the id of what is another tenant's: the
//! answer is the same 404.

use crate::{App, auth::Caller, errors::api_errors};
use axum::extract::{FromRequestParts, Path};
use commands::Loaded;
use domain::{BuildId, EndpointId, TaskId};
use http::request::Parts;
use ports::Version;
use std::str::FromStr;

/// The build named by the path.
pub(crate) struct BuildPath(pub(crate) BuildId);

/// The task named by the path.
pub(crate) struct TaskPath(pub(crate) TaskId);

/// The webhook endpoint named by the path, as it is.
pub(crate) struct EndpointPath(pub(crate) endpoints::Loaded);

api_errors! {
    /// The path names no webhook endpoint.
    pub(crate) enum EndpointPathError {
        NOT_FOUND "webhook_endpoint_unknown": Unknown => "there is no such webhook endpoint",
        SERVICE_UNAVAILABLE "webhooks_not_configured": Unconfigured(detail: String) => "there are no webhooks here",
    }
}

/// What the operator must do for there to be webhooks.
pub(crate) const UNCONFIGURED: &str =
    "the server has no key to seal secrets with: set BUILDWRIGHT_SECRET_KEY or --secret-key-file";

impl FromRequestParts<App> for EndpointPath {
    type Rejection = EndpointPathError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, EndpointPathError> {
        let unconfigured = || EndpointPathError::Unconfigured(UNCONFIGURED.to_owned());
        let endpoints = app.endpoints.as_ref().ok_or_else(unconfigured)?;
        let id: EndpointId = id(parts, app).await.ok_or(EndpointPathError::Unknown)?;
        let who = Caller::of(parts)?;
        let theirs = endpoints.load(id).await?.filter(|loaded| loaded.endpoint.tenant == who.tenant);
        theirs.map(Self).ok_or(EndpointPathError::Unknown)
    }
}

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
        let id = id(parts, app).await.ok_or(PathError::Build)?;
        if is_theirs(id, parts, app).await? { Ok(Self(id)) } else { Err(PathError::Build) }
    }
}

impl FromRequestParts<App> for TaskPath {
    type Rejection = PathError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PathError> {
        let id: TaskId = id(parts, app).await.ok_or(PathError::Task)?;
        if is_theirs(id.build, parts, app).await? { Ok(Self(id)) } else { Err(PathError::Task) }
    }
}

/// Whether the build is of the tenant that asks. What is another's is nothing, whatever the endpoint. A build keeps
/// its tenant, so whatever is known of it will do.
async fn is_theirs(id: BuildId, parts: &Parts, app: &App) -> Result<bool, PathError> {
    let who = Caller::of(parts)?;
    let owner = |loaded: &Loaded| loaded.build.spec.as_ref().is_some_and(|spec| spec.tenant == who.tenant);
    Ok(app.builds.read_since(id, Version(1), owner).await?.unwrap_or(false))
}

async fn id<T: FromStr>(parts: &mut Parts, app: &App) -> Option<T> {
    Path::<String>::from_request_parts(parts, app).await.ok()?.parse().ok()
}
