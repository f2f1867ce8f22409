use super::finished::{Finished, ResultUnavailable};
use crate::{
    App,
    read::{BuildPath, ParamsError, Query},
};
use axum::{extract::State, response::IntoResponse};
use http::{HeaderName, HeaderValue, header};

const TRUNCATED: HeaderName = HeaderName::from_static("x-truncated");

/// Get what a completed build changed
///
/// A unified diff. If it is longer than the bound it is cut, and `X-Truncated` is `true`.
#[utoipa::path(get, path = "/v1/builds/{id}/diff", operation_id = "getBuildDiff", tag = "results",
    params(("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
    responses(
        (status = 200, description = "The diff", body = String, content_type = "text/x-diff",
            headers(("x-truncated" = bool, description = "Whether it was cut"))),
        ParamsError, ResultUnavailable,
    ))]
#[tracing::instrument(name = "api.builds.diff", skip_all, fields(build.id = %id))]
pub(crate) async fn diff(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, ResultUnavailable> {
    let Finished { project, result } = Finished::find(&app, id).await?;
    let diff = app.results.diff(&project, &result.base, &result.commit, app.settings.max_diff_bytes).await?;
    let truncated = HeaderValue::from_static(if diff.truncated { "true" } else { "false" });
    let media_type = HeaderValue::from_static("text/x-diff; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, media_type), (TRUNCATED, truncated)], diff.text))
}
