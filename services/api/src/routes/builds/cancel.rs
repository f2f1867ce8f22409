use crate::{
    App,
    auth::Caller,
    errors::{Fault, api_errors},
    read::{BodyError, BuildPath, IfMatch, OptionalBody, etag},
    wire::{BuildView, CancelBuild},
};
use axum::{Json, extract::State, response::IntoResponse};
use commands::ExecuteError;
use domain::build::{Command, Rejection};
use http::{StatusCode, header};

/// Cancel a build
///
/// Everything that runs for it is stopped. Repeating the call is safe. With `If-Match`, only if the build is still
/// at that version.
#[utoipa::path(post, path = "/v1/builds/{id}/cancel", operation_id = "cancelBuild", tag = "builds",
    params(("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("If-Match" = Option<String>, Header, description = "The entity tag of the version that is to be cancelled",
            max_length = 1024, example = "\"7\""),
    ),
    request_body = Option<CancelBuild>,
    responses(
        (status = 202, description = "Cancelled; what runs is being stopped", body = BuildView,
            headers(("etag" = String, description = "Its version"))),
        BodyError, CancelError,
    ))]
#[tracing::instrument(name = "api.builds.cancel", skip_all, fields(build.id = %id))]
pub(crate) async fn cancel(
    State(app): State<App>,
    Caller(who): Caller,
    BuildPath(id): BuildPath,
    IfMatch(expected): IfMatch,
    OptionalBody(body): OptionalBody<CancelBuild>,
) -> Result<impl IntoResponse, CancelError> {
    let reason = body.and_then(|body| body.reason);
    let command = Command::Cancel { reason, at: app.clock.now() };
    let done = app.builds.execute_at(id, who.actor, command, expected).await?;
    let view = |loaded: &commands::Loaded| Some((loaded.version, BuildView::of(id, loaded)?));
    let seen = app.builds.read_since(id, done.version, view).await?;
    let (version, view) = seen.flatten().ok_or(CancelError::Unknown)?;
    Ok((StatusCode::ACCEPTED, [(header::ETAG, etag(version))], Json(view)))
}

api_errors! {
    /// What cancelling can be refused for, the body apart.
    pub(crate) enum CancelError {
        NOT_FOUND "build_unknown": Unknown => "there is no such build",
        PRECONDITION_FAILED "version_outdated": Outdated => "the build is at another version than If-Match says",
        CONFLICT "build_ended": Ended => "the build has ended already",
        SERVICE_UNAVAILABLE "build_contended": Contended => "the build is being changed by others, try again",
    }
}

impl From<ExecuteError> for CancelError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Rejected(Rejection::Unknown) => Self::Unknown,
            ExecuteError::Rejected(Rejection::Ended) => Self::Ended,
            ExecuteError::Outdated => Self::Outdated,
            ExecuteError::Contended => Self::Contended,
            ExecuteError::Store(error) => Self::Fault(error.into()),
            ExecuteError::Rejected(other) => Self::Fault(Fault::internal(other)),
        }
    }
}
