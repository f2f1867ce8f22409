use crate::{
    App,
    errors::api_errors,
    feed::{self, Live, OutputFeed, Reading},
    read::{BuildPath, ParamsError, Query},
    wire::{EventStream, OutputList},
};
use axum::{extract::State, response::Response};
use domain::build::Work;
use http::Uri;

/// Read the output of planning
///
/// JSON, or with `Accept: text/event-stream` or `Upgrade: websocket` live: `id` is `seq`, `event` is `line`, and
/// `end` comes last, when there is a plan or the build has ended.
#[utoipa::path(get, path = "/v1/builds/{id}/plan/output", operation_id = "getPlanOutput", tag = "builds",
    params(
        ("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
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
        ParamsError, PlanOutputError,
    ))]
#[tracing::instrument(name = "api.builds.plan_output", skip_all, fields(build.id = %id))]
pub(crate) async fn plan_output(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Query(reading): Query<Reading>,
    live: Option<Live>,
    uri: Uri,
) -> Result<Response, PlanOutputError> {
    app.builds.read(id, |_| ()).await?.ok_or(PlanOutputError::Unknown)?;
    if let Some(live) = live {
        let feed = OutputFeed::new(app.clone(), &live, id, Work::Plan, reading.after, reading.follow);
        return Ok(live.answer(&app, feed).await);
    }
    let page = app.output.read(id, Work::Plan, reading.after, reading.limit).await?;
    let full = page.len() == reading.limit;
    let list = OutputList::of(page, reading.after);
    let next = list.next;
    Ok(feed::page(list, &uri, next, full)?)
}

api_errors! {
    /// What reading the output of planning can be refused for.
    pub(crate) enum PlanOutputError {
        NOT_FOUND "build_unknown": Unknown => "there is no such build",
    }
}
