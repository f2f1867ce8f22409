use crate::{
    App,
    auth::Caller,
    errors::api_errors,
    feed::{self, EventFeed, Live, Reading},
    read::{ParamsError, Query},
    wire::{Addresses, EventList, EventStream},
};
use axum::{extract::State, response::Response};
use http::Uri;
use ports::Position;

/// Read the events of all builds of the tenant
///
/// JSON, or with `Accept: text/event-stream` or `Upgrade: websocket` live: `id` is `sequence` and `event` is the
/// type. The live stream goes on until the client leaves, unless `follow=false`.
#[utoipa::path(get, path = "/v1/events", operation_id = "listEvents", tag = "events",
    params(
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
        ParamsError, EventsError,
    ))]
#[tracing::instrument(name = "api.events.list", skip_all)]
pub(crate) async fn list(
    State(app): State<App>,
    Caller(who): Caller,
    Query(reading): Query<Reading>,
    live: Option<Live>,
    uri: Uri,
) -> Result<Response, EventsError> {
    let after = Position(reading.after);
    if let Some(live) = live {
        let feed = EventFeed::all(app.clone(), &live, &who, after, reading.follow);
        return Ok(live.answer(&app, feed).await);
    }
    let page = app.store.read_tenant(&who.tenant, after, reading.limit).await?;
    let full = page.events.len() == reading.limit;
    let list = EventList::of(page.events, page.upto.0, Addresses::seen_with(who.scopes))?;
    let next = list.next;
    Ok(feed::page(list, &uri, next, full)?)
}

api_errors! {
    /// What reading events can be refused for.
    pub(crate) enum EventsError {}
}
