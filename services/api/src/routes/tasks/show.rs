use crate::{
    App,
    errors::api_errors,
    read::{ParamsError, Query, TaskPath},
    wire::TaskView,
};
use axum::{Json, extract::State};

/// Get a task
///
/// With where its newest attempt stands.
#[utoipa::path(get, path = "/v1/tasks/{id}", operation_id = "getTask", tag = "tasks",
    params(("id" = String, Path, description = "The task", example = "tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV_0")),
    responses((status = 200, description = "The task", body = TaskView), ParamsError, TaskError))]
#[tracing::instrument(name = "api.tasks.show", skip_all, fields(task.id = %id))]
pub(crate) async fn show(
    State(app): State<App>,
    TaskPath(id): TaskPath,
    Query(()): Query<()>,
) -> Result<Json<TaskView>, TaskError> {
    let view = app.builds.read(id.build, |loaded| TaskView::of(id.build, &loaded.build, id.number)).await?;
    Ok(Json(view.flatten().ok_or(TaskError::Unknown)?))
}

api_errors! {
    /// What looking at a task can be refused for.
    pub(crate) enum TaskError {
        NOT_FOUND "task_unknown": Unknown => "there is no such task",
    }
}
