use crate::{
    App,
    errors::api_errors,
    read::{BuildPath, ParamsError, Query},
    wire::{TaskList, TaskView},
};
use axum::{Json, extract::State};

/// List the tasks of a build
///
/// In the order of its plan; none before there is one.
#[utoipa::path(get, path = "/v1/builds/{id}/tasks", operation_id = "listBuildTasks", tag = "builds",
    params(("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
    responses((status = 200, description = "The tasks", body = TaskList), ParamsError, TasksError))]
#[tracing::instrument(name = "api.builds.tasks", skip_all, fields(build.id = %id))]
pub(crate) async fn tasks(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Query(()): Query<()>,
) -> Result<Json<TaskList>, TasksError> {
    let tasks = app.builds.read(id, |loaded| TaskView::all(id, &loaded.build)).await?;
    Ok(Json(TaskList { tasks: tasks.ok_or(TasksError::Unknown)? }))
}

api_errors! {
    /// What listing tasks can be refused for.
    pub(crate) enum TasksError {
        NOT_FOUND "build_unknown": Unknown => "there is no such build",
    }
}
