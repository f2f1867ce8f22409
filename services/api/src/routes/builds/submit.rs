use crate::{
    App,
    errors::{Fault, api_errors},
    once::Reserved,
    order::Order,
    read::{Body, BodyError, etag},
    routes::ACTOR,
    wire::{BuildView, SubmitBuild},
};
use axum::{Json, extract::State, response::IntoResponse};
use commands::ExecuteError;
use domain::{
    BuildId,
    build::{Command, Rejection},
};
use http::{HeaderValue, StatusCode, header};
use names::{ProjectName, ProjectNameError};

/// Submit a build
///
/// The answer comes once the order is stored; `Location` says where to follow it. Everything wrong with the
/// request is named at once, and nothing is stored then.
#[utoipa::path(post, path = "/v1/builds", operation_id = "submitBuild", tag = "builds",
    request_body = SubmitBuild,
    responses(
        (status = 202, description = "Accepted", body = BuildView, headers(
            ("location" = String, description = "Where the build is"),
            ("etag" = String, description = "Its version"),
        )),
        BodyError, SubmitError,
    ))]
#[tracing::instrument(name = "api.builds.submit", skip_all, fields(build.id))]
pub(crate) async fn submit(
    State(app): State<App>,
    reserved: Option<Reserved>,
    Body(order): Body<Order>,
) -> Result<impl IntoResponse, SubmitError> {
    let id = reserved.map_or_else(|| app.ids.build(), Reserved::build);
    tracing::Span::current().record("build.id", tracing::field::display(id));
    let (spec, plan) = order.place(own_project(id).map_err(Fault::internal)?);
    let command = Command::Submit { spec, plan, at: app.clock.now() };
    match app.builds.execute(id, ACTOR.into(), command).await {
        // Who had the id before was carrying out this very request.
        Err(ExecuteError::Rejected(Rejection::AlreadySubmitted)) if reserved.is_some() => {}
        executed => drop(executed?),
    }
    let seen = app.builds.read(id, |loaded| Some((loaded.version, BuildView::of(id, loaded)?))).await?;
    let (version, view) = seen.flatten().ok_or_else(|| Fault::internal("the build was not stored"))?;
    let location = HeaderValue::from_str(&format!("/v1/builds/{id}")).map_err(Fault::internal)?;
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location), (header::ETAG, etag(version))], Json(view)))
}

/// The project of a build that names none: its own, after its id.
fn own_project(id: BuildId) -> Result<ProjectName, ProjectNameError> {
    id.to_string().replace('_', "-").to_ascii_lowercase().parse()
}

api_errors! {
    /// What submitting can be refused for, the body apart.
    pub(crate) enum SubmitError {
        SERVICE_UNAVAILABLE "build_contended": Contended => "the build is being changed by others, try again",
    }
}

impl From<ExecuteError> for SubmitError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Store(error) => Self::Fault(error.into()),
            ExecuteError::Contended => Self::Contended,
            // A new id has no events: any refusal is a defect.
            ExecuteError::Rejected(_) | ExecuteError::Outdated => Self::Fault(Fault::internal(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_names_no_project_has_one_of_its_own() {
        let id: BuildId = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        assert_eq!(own_project(id).unwrap().as_str(), "bld-01arz3ndektsv4rrffq69g5fav");
    }
}
