use super::finished::{Finished, ResultUnavailable};
use crate::{
    App,
    read::{BuildPath, ParamsError, Query},
    wire::{FileList, FileView},
};
use axum::{Json, extract::State};

/// List the files of a completed build
///
/// As they are in the commit it ended in, by path.
#[utoipa::path(get, path = "/v1/builds/{id}/files", operation_id = "listBuildFiles", tag = "results",
    params(("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
    responses((status = 200, description = "The files", body = FileList), ParamsError, ResultUnavailable))]
#[tracing::instrument(name = "api.builds.files", skip_all, fields(build.id = %id))]
pub(crate) async fn files(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Query(()): Query<()>,
) -> Result<Json<FileList>, ResultUnavailable> {
    let Finished { project, result } = Finished::find(&app, id).await?;
    let files = app.results.files(&project, &result.commit).await?;
    let files = files.into_iter().map(FileView::from).collect();
    Ok(Json(FileList { commit: result.commit.into(), files }))
}
