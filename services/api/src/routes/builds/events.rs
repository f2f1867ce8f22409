use crate::{
    App,
    errors::api_errors,
    feed::{self, EventFeed, Live, Reading, version_at},
    read::{BuildPath, ParamsError, Query},
    wire::{Addresses, EventList, EventStream},
};
use axum::{extract::State, response::Response};
use http::Uri;
use ports::{Position, StreamId};

/// Read the events of a build
///
/// JSON, or with `Accept: text/event-stream` or `Upgrade: websocket` live: `id` is `sequence`, `event` is the type,
/// and `end` comes right after `build_completed`, `build_failed` or `build_cancelled`. What attempts that were still
/// running then had cost can follow as `usage_recorded`; to see those, read again after the `id` of the last event.
#[utoipa::path(get, path = "/v1/builds/{id}/events", operation_id = "listBuildEvents", tag = "builds",
    params(
        ("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("after" = Option<u64>, Query, description = "Only events after this `sequence`"),
        ("limit" = Option<u32>, Query, description = "Most events, in JSON; 100 if not given",
            minimum = 1, maximum = 1000),
        ("follow" = Option<bool>, Query, description = "False to end a live stream at the newest event"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`, and goes before it"),
    ),
    responses(
        (status = 200, description = "The events", content(
            (EventList = "application/json"), (EventStream = "text/event-stream"),
        )),
        ParamsError, BuildEventsError,
    ))]
#[tracing::instrument(name = "api.builds.events", skip_all, fields(build.id = %id))]
pub(crate) async fn events(
    State(app): State<App>,
    BuildPath(id): BuildPath,
    Query(reading): Query<Reading>,
    live: Option<Live>,
    uri: Uri,
) -> Result<Response, BuildEventsError> {
    let turn = match &live {
        Some(live) => live.turn().await,
        None => None,
    };
    let newest = app.builds.read(id, |loaded| (loaded.version, loaded.position)).await?;
    let newest = newest.ok_or(BuildEventsError::Unknown)?;
    let after = version_at(&app, id, Position(reading.after), newest).await?;
    drop(turn);
    if let Some(live) = live {
        let feed = EventFeed::build(app.clone(), &live, id, after, reading.follow);
        return Ok(live.answer(&app, feed).await);
    }
    let page = app.store.read_stream(StreamId::Build(id), after, reading.limit).await?;
    let full = page.len() == reading.limit;
    let list = EventList::of(page, reading.after, Addresses::Whole)?;
    let next = list.next;
    Ok(feed::page(list, &uri, next, full)?)
}

api_errors! {
    /// What reading a build's events can be refused for.
    pub(crate) enum BuildEventsError {
        NOT_FOUND "build_unknown": Unknown => "there is no such build",
    }
}
