//! Server-sent events. A feed reads from a store by cursor and only as fast as its client takes: nothing is
//! queued for anybody beyond a page, nothing is skipped and nothing comes twice. A watch channel tells it when
//! to read again.

mod events;
mod output;

pub(crate) use events::{EventFeed, version_at};
pub(crate) use output::OutputFeed;

use crate::{
    ApiSettings,
    errors::Fault,
    read::{FromParams, Params},
    wire::links,
};
use axum::{
    Json,
    response::{IntoResponse, Response, Sse, sse},
};
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use serde::Serialize;
use std::convert::Infallible;

/// Most elements of a page, in JSON and between store and feed.
const MOST: usize = 1_000;
const USUAL: usize = 100;

/// Where a client wants to go on reading, and how.
pub(crate) struct Reading {
    /// After this place.
    pub(crate) after: u64,
    /// Most elements, in JSON.
    pub(crate) limit: usize,
    /// Whether to wait for more at the end, as server-sent events.
    pub(crate) follow: bool,
}

impl FromParams for Reading {
    fn from_params(params: &mut Params<'_>, _: &ApiSettings) -> Self {
        Self {
            after: params.after(),
            limit: params.limit(USUAL, MOST),
            follow: params.flag("follow").unwrap_or(true),
        }
    }
}

/// Whether the client asks for server-sent events.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// What a feed sends next.
pub(crate) enum Next {
    /// An event.
    Event(sse::Event),
    /// The last one.
    End(EndOfStream),
    /// Nothing more, without saying so: the client will come back.
    Stop,
}

/// The last event of a stream, by which a client knows that it need not come back.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct EndOfStream {
    /// Why the stream is over.
    reason: EndReason,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum EndReason {
    Ended,
    Head,
}

impl EndOfStream {
    /// What is followed has ended: nothing will come any more.
    pub(crate) const ENDED: Self = Self { reason: EndReason::Ended };
    /// The client asked not to wait.
    pub(crate) const HEAD: Self = Self { reason: EndReason::Head };
}

/// Something that can be followed.
pub(crate) trait Feed: Send + 'static {
    /// Reads what is there already: whoever cannot be answered at all hears so, in place of an empty stream.
    fn begin(&mut self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Waits for what comes next.
    fn next(&mut self) -> impl Future<Output = Result<Next, Fault>> + Send;
}

/// The answer that carries a page of what could also be followed. A page that is full has a next one.
pub(crate) fn page(list: impl Serialize, uri: &Uri, next: u64, full: bool) -> Result<Response, Fault> {
    let link = links(uri, "after", full.then(|| next.to_string()).as_deref())?;
    let vary = HeaderValue::from_static("accept");
    Ok(([(header::LINK, link), (header::VARY, vary)], Json(list)).into_response())
}

/// The answer that carries a feed.
pub(crate) async fn respond(mut feed: impl Feed, settings: &ApiSettings) -> Result<Response, Fault> {
    feed.begin().await?;
    let events = stream::unfold(Some(feed), |feed| async {
        let mut feed = feed?;
        match feed.next().await {
            Ok(Next::Event(event)) => Some((Ok::<_, Infallible>(event), Some(feed))),
            Ok(Next::End(end)) => {
                // A struct with one name in it can be written.
                let data = serde_json::to_string(&end).unwrap_or_default();
                Some((Ok(sse::Event::default().event("end").data(data)), None))
            }
            Ok(Next::Stop) => None,
            Err(fault) => {
                fault.log();
                None
            }
        }
    });
    let heartbeat = sse::KeepAlive::new().interval(settings.heartbeat);
    let mut response = Sse::new(events).keep_alive(heartbeat).into_response();
    // nginx would hold events back otherwise.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(unbuffered, HeaderValue::from_static("no"));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}
