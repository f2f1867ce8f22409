use crate::{
    App,
    errors::api_errors,
    feed::{self, Live, OutputFeed, Reading},
    read::{ParamsError, Query, TaskPath},
    wire::{EventStream, OutputList},
};
use axum::{extract::State, response::Response};
use domain::build::Work;
use http::Uri;

/// Read the output of a task
///
/// All its attempts together. JSON, or with `Accept: text/event-stream` or `Upgrade: websocket` live: `id` is
/// `seq`, `event` is `line`, and `end` comes last, when the task has ended.
#[utoipa::path(get, path = "/v1/tasks/{id}/output", operation_id = "getTaskOutput", tag = "tasks",
    params(
        ("id" = String, Path, description = "The task", example = "tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV_0"),
        ("after" = Option<u64>, Query, description = "Only lines after this `seq`"),
        ("limit" = Option<u32>, Query, description = "Most lines, in JSON; 100 if not given",
            minimum = 1, maximum = 1000),
        ("follow" = Option<bool>, Query, description = "False to end a live stream at the last line"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`, and goes before it"),
    ),
    responses(
        (status = 200, description = "The output", content(
            (OutputList = "application/json"), (EventStream = "text/event-stream"),
        )),
        ParamsError, TaskOutputError,
    ))]
#[tracing::instrument(name = "api.tasks.output", skip_all, fields(task.id = %id))]
pub(crate) async fn output(
    State(app): State<App>,
    TaskPath(id): TaskPath,
    Query(reading): Query<Reading>,
    live: Option<Live>,
    uri: Uri,
) -> Result<Response, TaskOutputError> {
    let exists = app.builds.read(id.build, |loaded| loaded.build.tasks.len() > id.number.index()).await?;
    if !exists.unwrap_or(false) {
        return Err(TaskOutputError::Unknown);
    }
    let work = Work::Task(id.number);
    if let Some(live) = live {
        let feed = OutputFeed::new(app.clone(), &live, id.build, work, reading.after, reading.follow);
        return Ok(live.answer(&app, feed).await);
    }
    let page = app.output.read(id.build, work, reading.after, reading.limit).await?;
    let full = page.len() == reading.limit;
    let list = OutputList::of(page, reading.after);
    let next = list.next;
    Ok(feed::page(list, &uri, next, full)?)
}

api_errors! {
    /// What reading a task's output can be refused for.
    pub(crate) enum TaskOutputError {
        NOT_FOUND "task_unknown": Unknown => "there is no such task",
    }
}
