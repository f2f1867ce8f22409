//! Streams that are followed. A feed reads from a store by cursor and only as fast as its client takes: nothing is
//! queued for anybody beyond a page, nothing is skipped and nothing comes twice.
//!
//! | file | what |
//! |---|---|
//! | `events` | the events of a build or of a tenant |
//! | `output` | the lines of a task |
//! | `ending` | who waits for the end of a build only |
//! | `relay` | who reads new events, once for all that follow |
//! | `lines` | the same for lines of output |
//! | `message` | what is sent, in the form of either transport |
//! | `places` | how many may follow |
//! | `live` | a request for a stream, and its answer |
//! | `follower` | a feed together with what can end it from outside |
//! | `sse`, `socket` | the two transports |

mod ending;
mod events;
mod follower;
mod lines;
mod live;
mod message;
mod output;
mod places;
mod relay;
mod socket;
mod sse;

pub(crate) use events::{EventFeed, version_at};
pub(crate) use live::{Live, Streams};
pub(crate) use message::{EndReason, Message};
pub(crate) use output::OutputFeed;
pub(crate) use socket::PROTOCOL;

use crate::{
    ApiSettings,
    errors::Fault,
    read::{FromParams, Params},
    wire::links,
};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Uri, header};
use relay::{News, Relay, Subscription, Topic};
use serde::Serialize;
use std::sync::Arc;

/// Most elements of a page, in JSON and between store and feed.
pub(crate) const MOST: usize = 1_000;
const USUAL: usize = 100;

/// Where a client wants to go on reading, and how.
pub(crate) struct Reading {
    /// After this place.
    pub(crate) after: u64,
    /// Most elements, in JSON.
    pub(crate) limit: usize,
    /// Whether to wait for more at the end of a stream.
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

/// What a feed sends next.
pub(crate) enum Next {
    /// Something.
    Message(Arc<Message>),
    /// Nothing more.
    End(EndReason),
    /// Nothing more, without saying so: the client will come back.
    Stop,
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
