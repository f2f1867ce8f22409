use crate::{
    App,
    errors::api_errors,
    read::{BuildPath, ParamsError, Query},
    wire::PlanView,
};
use axum::{Json, extract::State};
use std::sync::Arc;

/// Get the plan of a build
///
/// As the client or a model wrote it, once it was found valid.
#[utoipa::path(get, path = "/v1/builds/{id}/plan", operation_id = "getBuildPlan", tag = "builds",
    params(("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
    responses((status = 200, description = "The plan", body = PlanView), ParamsError, PlanError))]
#[tracing::instrument(name = "api.builds.plan", skip_all, fields(build.id = %id))]
pub(crate) async fn plan(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Query(()): Query<()>,
) -> Result<Json<PlanView>, PlanError> {
    let seen = app
        .builds
        .read(id, |loaded| Some((loaded.build.plan.as_ref().map(Arc::clone)?, loaded.build.plan_source?)))
        .await?;
    let (plan, source) = seen.ok_or(PlanError::Unknown)?.ok_or(PlanError::NotReady)?;
    Ok(Json(PlanView::of(&plan, source)))
}

api_errors! {
    /// What asking for a plan can be refused for.
    pub(crate) enum PlanError {
        NOT_FOUND "build_unknown": Unknown => "there is no such build",
        // The resource does not exist yet, and for a build that failed in planning never will.
        NOT_FOUND "plan_not_ready": NotReady => "the build has no plan",
    }
}
